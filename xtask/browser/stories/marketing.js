// A marketer's way: contacts come in, a segment, a template, a campaign, what became of each recipient.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { settled, story } from '../harness/browser.js';

// The simulated providers do as the local part says.
const GOOD = 12;
const BOUNCED = 'unknown-browser@petrel.example';
const CSV = [
  'email,first_name,city,favourite_port',
  ...Array.from({ length: GOOD }, (_, n) => `fine-browser${n}@${n % 2 ? 'albatross' : 'tortoise'}.example,Fine${n},Porto,Harwich`),
  `${BOUNCED},Unknown,Porto,Falmouth`,
  'not an address,Nobody,Porto,Dover',
  'fine-browser1@albatross.example,Twice,Porto,Dover',
  ',Missing,Porto,Dover',
].join('\n');
const IMPORTED = GOOD + 1;

story('a file is imported, broken rows are reported', { path: '/contacts' }, async (page) => {
  await page.getByRole('link', { name: 'Import', exact: true }).click();
  await page.getByLabel('CSV file').setInputFiles({ name: 'browser.csv', mimeType: 'text/csv', buffer: Buffer.from(CSV) });
  await page.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('heading', { level: 1, name: 'browser.csv' }).waitFor();
  const columns = page.getByRole('table', { name: 'Columns of the file' });
  await columns.waitFor();
  const target = (column) => columns.getByRole('combobox', { name: `What column ${column} becomes` });
  assert.match(await target('email').inputValue(), /email/);
  await target('favourite_port').selectOption('attribute:favourite_port');
  await page.getByLabel('Tags for every contact of the file').fill('browser');
  await page.getByLabel('Where their consent comes from').fill('the test itself');
  await page.getByRole('button', { name: 'Start the import' }).click();
  const refused = page.getByRole('table', { name: 'Refused rows' });
  await refused.waitFor();
  await refused.getByRole('row').filter({ hasText: 'not an address' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the refused rows' }).click()]);
  const report = readFileSync(await download.path(), 'utf8');
  assert.match(report, /not an address/);
  const url = page.url();
  await page.reload();
  await refused.waitFor();
  assert.equal(page.url(), url);
  await page.goto('/contacts?tag=browser');
  await page.getByText(`${IMPORTED} in all`).waitFor();
});

story('a segment counts while it is built', { path: '/segments' }, async (page) => {
  await page.getByRole('link', { name: 'Build a segment' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('Browser people');
  await page.getByRole('button', { name: 'Condition', exact: true }).click();
  await page.getByRole('combobox', { name: 'What the condition is about' }).selectOption('tag');
  await page.getByRole('combobox', { name: 'Tag', exact: true }).selectOption('browser');
  const found = page.getByRole('status').filter({ hasText: new RegExp(`\\b${IMPORTED}\\b`) });
  await found.waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Condition', exact: true }).click();
  await page.getByRole('combobox', { name: 'What the condition is about' }).nth(1).selectOption('attribute:favourite_port');
  await page.getByRole('combobox', { name: 'How it is compared' }).selectOption({ label: 'is' });
  await page.getByRole('textbox', { name: 'Value' }).fill('falmouth');
  await page.getByRole('status').filter({ hasText: /\b1\b/ }).waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Remove condition' }).nth(1).click();
  await found.waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { level: 1, name: 'Browser people' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Browser people' }).waitFor();
  await settled(page);
  assert.equal(await page.getByRole('combobox', { name: 'Tag', exact: true }).inputValue(), 'browser');
});

story('unsaved changes are not lost without a word', { path: '/segments/new' }, async (page) => {
  await page.getByLabel('Name', { exact: true }).fill('Half done');
  await page.getByRole('link', { name: 'Queue' }).click();
  const dialog = page.getByRole('dialog', { name: 'Leave without saving?' });
  await dialog.getByRole('button', { name: 'Keep as it is' }).click();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Half done');
  await page.getByRole('link', { name: 'Queue' }).click();
  await dialog.getByRole('button', { name: 'Leave' }).click();
  await page.getByRole('heading', { level: 1, name: 'Queue' }).waitFor();
});
