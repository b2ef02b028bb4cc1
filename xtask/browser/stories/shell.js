// What surrounds the pages: themes, the drawer, what is not there.

import assert from 'node:assert/strict';
import { PHONE, accessible, fitsWidth, settled, story } from '../harness/browser.js';

/** Waits for the page to be light or dark, by its background. */
const looks = (page, theme) =>
  page.waitForFunction((dark) => {
    const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/);
    return Number(red) < 128 === dark;
  }, theme === 'dark');

story('the theme follows the system until another is chosen, which stays', { theme: 'light' }, async (page) => {
  await settled(page);
  await looks(page, 'light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await looks(page, 'dark');
  const choice = page.getByRole('combobox', { name: 'Theme' });
  await choice.selectOption({ label: 'Light theme' });
  await looks(page, 'light');
  await page.reload();
  await settled(page);
  await looks(page, 'light');
  assert.equal(await choice.inputValue(), 'light', 'the choice stays');
  await choice.selectOption({ label: 'System theme' });
  await looks(page, 'dark');
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
