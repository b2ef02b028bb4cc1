// What surrounds the pages: themes, the drawer, what is not there.

import assert from 'node:assert/strict';
import { PHONE, accessible, fitsWidth, settled, story } from '../harness/browser.js';

const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

story('the theme follows the system until another is chosen, which stays', { theme: 'light' }, async (page) => {
  await settled(page);
  const light = await background(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await background(page);
  assert.notEqual(light, dark, 'the system decides');
  const choice = page.getByRole('combobox', { name: 'Theme' });
  await choice.selectOption({ label: 'Light theme' });
  assert.equal(await background(page), light);
  await page.reload();
  await settled(page);
  assert.equal(await background(page), light, 'the choice stays');
  assert.equal(await choice.inputValue(), 'light');
  await choice.selectOption({ label: 'System theme' });
  assert.equal(await background(page), dark);
});

story('on a phone the navigation is a drawer', { size: PHONE, path: '/queue' }, async (page) => {
  await settled(page);
  const drawer = page.getByRole('navigation', { name: 'Main' });
  const button = page.getByRole('button', { name: 'Navigation' });
  assert.equal(await drawer.isVisible(), false, 'closed at first');
  await button.click();
  await drawer.waitFor();
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await accessible(page, 'the open drawer');
  await fitsWidth(page, 'the open drawer');
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'hidden' });
  await button.click();
  await drawer.getByRole('link', { name: 'Domains' }).click();
  await page.getByRole('heading', { level: 1, name: 'Domains' }).waitFor();
  await drawer.waitFor({ state: 'hidden' });
});

story('what is not there is said so', { path: '/no/such/page' }, async (page) => {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.getByRole('main').getByRole('link').first().click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
});
