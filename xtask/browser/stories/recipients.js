// What recipients see of us: the page where they unsubscribe.

import assert from 'node:assert/strict';
import { PHONE, accessible, ask, fitsWidth, picture, story, unsubscribePage } from '../harness/browser.js';

const unsubscribed = async (page) => (await ask(page, 'GET', '/suppressions?reason=unsubscribe')).items.length;

story('looking at the unsubscribe page changes nothing, its button unsubscribes', { path: unsubscribePage, size: PHONE }, async (page) => {
  await page.getByRole('heading', { level: 1, name: 'Unsubscribe' }).waitFor();
  await fitsWidth(page, 'the unsubscribe page');
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `the unsubscribe page, ${theme}`);
    await picture(page, `unsubscribe-phone-${theme}`);
  }
  // Scanners of mailbox providers follow every link.
  assert.equal(await unsubscribed(page), 0);
  await page.getByRole('button', { name: 'Unsubscribe' }).click();
  await page.getByRole('heading', { level: 1, name: 'You are unsubscribed' }).waitFor();
  assert.equal(await unsubscribed(page), 1);
  await page.goto('/suppressions?reason=unsubscribe');
  await page.getByRole('table', { name: 'Suppressions' }).getByRole('row').filter({ hasText: 'Unsubscribed' }).waitFor();
});

story('one click of the mailbox provider unsubscribes, however often it comes', { path: unsubscribePage }, async (page) => {
  const answer = await page.request.post(unsubscribePage(), { form: { 'List-Unsubscribe': 'One-Click' } });
  assert.equal(answer.status(), 200);
  const empty = await page.request.post(unsubscribePage(), { form: {} });
  assert.equal(empty.status(), 400, 'a POST that does not say what it wants changes nothing');
  assert.equal(await unsubscribed(page), 1);
});
