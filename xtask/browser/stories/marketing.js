// A marketer's way: contacts come in, a segment, a template, a campaign, what became of each recipient.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { accessible, picture, settled, story } from '../harness/browser.js';

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

/** Waits until the table has so many rows below its head. */
const rows = (table, count) => table.getByRole('row').nth(count).waitFor().then(() => table.getByRole('row').nth(count + 1).waitFor({ state: 'detached' }));

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
  await rows(page.getByRole('table', { name: 'Contacts' }), IMPORTED);
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
  await page.getByRole('combobox', { name: 'What the condition is about' }).nth(1).selectOption({ label: 'favourite_port' });
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

story('a template is previewed while it is written', { path: '/templates' }, async (page) => {
  await page.getByRole('link', { name: 'Write a template' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('Browser letter');
  await page.getByRole('textbox', { name: 'Subject' }).fill('News for {{ contact.first_name | default: "you" }}');
  const preview = page.getByRole('region', { name: 'Preview' });
  const mail = page.frameLocator('iframe[title="The mail as rendered"]');
  await mail.getByText('Hello').waitFor();
  await preview.getByLabel('Find a contact for the preview').fill('fine-browser3');
  const contact = preview.getByRole('combobox', { name: 'Preview as this contact' });
  await contact.getByRole('option', { name: /fine-browser3@/ }).waitFor({ state: 'attached' });
  await contact.selectOption({ label: 'fine-browser3@albatross.example' });
  await preview.getByText('News for Fine3').waitFor();
  await mail.getByText('Hello Fine3').waitFor();

  const source = page.getByRole('textbox', { name: 'Source' });
  const good = await source.inputValue();
  await source.fill(good.replace('Write what you want', 'Write {{ contact.first_name what you want'));
  const problem = preview.getByRole('status', { name: 'Problems' }).getByRole('listitem').filter({ hasText: 'Error' }).first();
  await problem.waitFor();
  await problem.getByRole('button').click();
  assert.ok(await source.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd).includes('what you want')), 'the line is selected');
  await source.fill(good);
  await problem.waitFor({ state: 'detached' });
  await preview.getByRole('button', { name: 'Plain text' }).click();
  await preview.getByText('Hello Fine3').waitFor();

  await page.keyboard.press('Control+s');
  await page.getByRole('status').filter({ hasText: 'Saved as version 1' }).waitFor();
  await page.getByRole('heading', { level: 1, name: 'Browser letter' }).waitFor();
  await page.getByRole('textbox', { name: 'Subject' }).fill('Second thoughts');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('status').filter({ hasText: 'Saved as version 2' }).waitFor();
  await page.getByRole('link', { name: 'Versions' }).click();
  await page.getByRole('button', { name: 'Restore version 1' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
  await page.getByRole('status').filter({ hasText: 'restored as version 3' }).waitFor();
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  assert.match(await page.getByRole('textbox', { name: 'Subject' }).inputValue(), /^News for/);
});

story('a campaign is made, checked, launched, and watched to its end', { path: '/campaigns' }, async (page) => {
  const name = 'Browser news';
  await page.getByRole('link', { name: 'Make a campaign' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Next: content' }).click();
  await page.getByRole('combobox', { name: 'Template' }).selectOption({ label: 'Browser letter (version 3)' });
  await page.getByText('Subject:').waitFor();
  await page.getByRole('button', { name: 'Save, next: audience' }).click();
  await page.getByRole('combobox', { name: 'Who gets it' }).selectOption({ label: 'Browser people' });
  await page.getByRole('status').filter({ hasText: `${IMPORTED} will receive` }).waitFor();
  await page.getByRole('button', { name: 'Save, next: sender' }).click();
  await page.getByLabel('From address').fill('news@packetboat-demo.example');
  await page.getByLabel('From name').fill('The browser');
  await page.getByRole('button', { name: 'Save, next: review' }).click();
  await page.getByText(`${IMPORTED} contacts will receive it`).first().waitFor();
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `the checklist, ${theme}`);
    await picture(page, `campaign-review-${theme}`);
  }
  assert.equal(await page.getByRole('listitem').filter({ hasText: 'Must be fixed' }).count(), 0);
  await page.getByRole('button', { name: 'Launch…' }).click();
  const sure = page.getByRole('dialog', { name: 'Launch this campaign?' });
  const now = sure.getByRole('button', { name: 'Launch now' });
  assert.equal(await now.getAttribute('aria-disabled'), 'true', 'its name must be typed first');
  await picture(page, 'campaign-launch', { fullPage: false });
  await sure.getByLabel(/to confirm/).fill(name);
  await now.click();

  await page.getByRole('heading', { level: 1, name }).waitFor();
  await page.getByText('Finished', { exact: true }).first().waitFor({ timeout: 60_000 });
  await page.getByText(`${IMPORTED} of ${IMPORTED} settled`).waitFor();
  const providers = page.getByRole('table', { name: 'Per receiving provider' });
  const row = providers.getByRole('row').filter({ hasText: 'petrel' });
  assert.match(await row.getByRole('cell').nth(4).innerText(), /1/, 'one bounced');
  await row.getByRole('cell').nth(4).getByRole('link').click();
  await page.waitForURL(/\/bounces\?.*campaign=/);
  await page.getByRole('table', { name: 'Recipients' }).getByRole('link', { name: BOUNCED }).waitFor();
});

story('a bounced recipient is explained in the words of the server', { path: '/campaigns' }, async (page) => {
  await page.getByRole('link', { name: 'Browser news' }).click();
  await page.getByRole('link', { name: 'Every recipient' }).click();
  const log = page.getByRole('table', { name: 'Recipients' });
  await rows(log, IMPORTED);
  await page.getByRole('combobox', { name: 'State' }).selectOption({ label: 'Bounced' });
  await rows(log, 1);
  await log.getByRole('link', { name: BOUNCED }).click();
  await page.getByRole('heading', { level: 1, name: BOUNCED }).waitFor();
  await page.getByText(/^550[ -]5\.1\.1/).first().waitFor();
  await page.getByRole('heading', { name: 'What happened' }).waitFor();
  await accessible(page, 'a recipient');
  await picture(page, 'recipient-desktop-light');
  await page.reload();
  await page.getByText(/^550[ -]5\.1\.1/).first().waitFor();
  await page.getByRole('main').getByRole('link', { name: BOUNCED }).click();
  const card = page.locator('section').filter({ hasText: 'Can it be mailed?' });
  await card.getByText(/^keeps away: every mail/).waitFor();
  const events = page.getByRole('listitem').filter({ hasText: 'Browser news' });
  await events.filter({ hasText: /550[ -]5\.1\.1/ }).first().waitFor();
});
