// What recipients see of us: the page where they unsubscribe.

import assert from 'node:assert/strict';
import { PHONE, accessible, ask, fitsWidth, picture, settled, story, unsubscribePage } from '../harness/browser.js';

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

story('a recipient gives up one stream and keeps the rest, and the editor offered it', { path: '/preference-centre' }, async (page) => {
  await settled(page);
  const offer = page.getByLabel('Offer the stream bulk');
  await offer.check();
  assert.equal(await page.getByLabel('What people call it').inputValue(), 'Bulk');
  await page.getByLabel('What people call it').fill('');
  await page.getByText('Write what people call it.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save' }).isDisabled(), true);
  await page.getByLabel('What people call it').fill('Harbour news');
  await page.getByLabel('What stands below (may be empty)').fill('Once a month');
  const preview = page.frameLocator('iframe[title="The preference centre as rendered"]');
  await preview.getByLabel('Harbour news').waitFor();
  await fitsWidth(page, 'the editor with a stream on offer');
  await accessible(page, 'the editor with a stream on offer');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved', { exact: true }).waitFor();

  await page.setViewportSize(PHONE);
  await page.goto(unsubscribePage().replace('/u/', '/p/'));
  const choice = page.getByLabel('Harbour news');
  assert.equal(await choice.isChecked(), true);
  await accessible(page, 'the page for preferences');
  await fitsWidth(page, 'the page for preferences');
  await choice.uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Your choice is saved.').waitFor();
  assert.equal(await choice.isChecked(), false);
  await picture(page, 'preferences-phone');

  const left = { filter: { type: 'left_stream', stream: 'bulk' } };
  const found = await ask(page, 'POST', '/segments/count', left);
  assert.equal(found.matching, 1);
  // Events are told a moment after the commit.
  const contact = found.sample[0].id;
  const told = async () => JSON.stringify((await ask(page, 'GET', `/contacts/${contact}/timeline`)).items).includes('Harbour news');
  for (let n = 0; n < 50 && !(await told()); n += 1) {
    await page.waitForTimeout(100);
  }
  await page.goto(`/contacts/${contact}`);
  await page.getByText('Wants none').waitFor();
  await page.getByText('Wants no mail of a stream any more: Harbour news.').first().waitFor();
  await fitsWidth(page, 'the contact that left a stream');
  await picture(page, 'contact-left-stream-phone');
});
