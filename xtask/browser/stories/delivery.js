// The pages of delivery: the queue's sum, domains, egress, suppressions.

import assert from 'node:assert/strict';
import { settled, story } from '../harness/browser.js';

const number = (text) => Number(text.replace(/[^\d]/g, ''));

story('the queue shows that everybody is accounted for', { path: '/queue' }, async (page) => {
  const ledger = page.getByText('taken in =');
  await ledger.waitFor();
  await page.getByText('Every recipient is accounted for').waitFor();
  const [whole, parts] = (await ledger.innerText()).split('=');
  const sum = parts.split('+').map(number).reduce((sum, part) => sum + part, 0);
  assert.ok(number(whole) >= 300, whole);
  assert.equal(number(whole), sum, await ledger.innerText());
});

story('a domain lists its records and checks them', { path: '/domains' }, async (page) => {
  await page.getByRole('link', { name: 'packetboat-demo.example' }).click();
  await page.getByRole('heading', { level: 1, name: 'packetboat-demo.example' }).waitFor();
  await page.getByRole('button', { name: 'Check the records now' }).click();
  await page.getByRole('status').filter({ hasText: 'records found' }).waitFor();
  const records = page.getByRole('article');
  assert.ok((await records.count()) >= 4);
  assert.equal(await records.filter({ hasText: 'Found' }).count(), await records.count());
  const copy = records.filter({ hasText: 'DKIM' }).first().getByRole('button', { name: /^Copy value/ });
  await copy.click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /v=DKIM1/);
});

story('a new domain gets keys and tells what is missing', { path: '/domains' }, async (page) => {
  await page.getByRole('button', { name: 'Add a domain' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a sending domain' });
  await dialog.getByLabel('Domain').fill('unpublished.example');
  await dialog.getByRole('button', { name: 'Add and make keys' }).click();
  await page.getByRole('heading', { level: 1, name: 'unpublished.example' }).waitFor();
  await page.getByRole('button', { name: 'Check the records now' }).click();
  await page.getByRole('article').filter({ hasText: 'Missing' }).first().waitFor();
  await page.getByText('No key may sign, so nothing is sent').waitFor();
  await page.getByRole('link', { name: 'Signing keys' }).click();
  await page.getByRole('button', { name: /^Sign anyway with pb\d+r/ }).click();
  const anyway = page.getByRole('dialog', { name: 'Sign without the record?' });
  await anyway.getByRole('button', { name: 'Sign anyway' }).click();
  const key = page.getByRole('region', { name: /^Key pb\d+r/ });
  await key.getByText('Signs although its record was never seen').waitFor();
  await key.getByText('told to sign anyway').waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).first().click();
  const sure = page.getByRole('dialog', { name: 'Remove this domain?' });
  const remove = sure.getByRole('button', { name: 'Remove' });
  assert.equal(await remove.getAttribute('aria-disabled'), 'true', 'the name must be typed first');
  await sure.getByLabel(/to confirm/).fill('unpublished.example');
  await remove.click();
  await page.getByRole('heading', { level: 1, name: 'Domains' }).waitFor();
  await settled(page);
  assert.equal(await page.getByRole('link', { name: 'unpublished.example' }).count(), 0);
});

story('egress shows each source', { path: '/egress' }, async (page) => {
  const sources = page.getByRole('table', { name: 'Sources' });
  await sources.getByRole('cell', { name: 'berth-1' }).waitFor();
  assert.equal(await sources.getByRole('row').count(), 1 + 4);
});

story('an address is suppressed, found, taken off the list again, and has a history', { path: '/suppressions' }, async (page) => {
  const address = 'never.again@albatross.example';
  await page.getByRole('button', { name: 'Suppress an address' }).click();
  const add = page.getByRole('dialog', { name: 'Suppress an address' });
  await add.getByLabel('Address').fill(address);
  await add.getByLabel('What it does not get').selectOption('marketing');
  await add.getByLabel('Holds for').selectOption('global');
  await add.getByLabel('Until').fill('2999-12-31');
  await add.getByLabel('Why').fill('asked at the counter');
  await add.getByRole('button', { name: 'Suppress', exact: true }).click();
  await page.getByRole('status').filter({ hasText: `Nothing will be sent to ${address}` }).waitFor();
  await page.getByRole('searchbox', { name: 'Search addresses' }).fill('never.again');
  const row = page.getByRole('table', { name: 'Suppressions' }).getByRole('row').filter({ hasText: address });
  await row.waitFor();
  await page.waitForURL(/q=never\.again/);
  for (const words of ['Campaigns', 'Every workspace', 'asked at the counter', 'until']) {
    await row.getByText(words).first().waitFor();
  }
  for (const [label, value] of [['Holds for', 'true'], ['Keeps away', 'marketing'], ['Still in force', 'false']]) {
    await page.getByRole('search').getByLabel(label).selectOption(value);
    await page.waitForURL(new RegExp(`=${value}`));
    await row.waitFor();
  }
  await page.getByRole('search').getByLabel('Still in force').selectOption('true');
  await page.getByRole('heading', { name: 'Nothing matches' }).waitFor();
  await page.getByRole('search').getByLabel('Still in force').selectOption('');
  await row.getByRole('button', { name: /^Remove/ }).click();
  const remove = page.getByRole('dialog', { name: 'Remove from the list?' });
  await remove.getByLabel('Why').fill('asked to be back');
  await remove.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('heading', { name: 'Nothing matches' }).waitFor();

  await page.goto('/suppressions/history');
  await page.getByRole('searchbox', { name: 'Whole address' }).fill(address.toUpperCase());
  await page.getByRole('button', { name: 'Show its history' }).click();
  const changes = page.getByRole('table', { name: 'Changes' }).getByRole('row');
  await page.waitForURL(/address=/);
  await changes.filter({ hasText: 'Taken off' }).filter({ hasText: 'asked to be back' }).waitFor();
  assert.match(await changes.nth(1).innerText(), /Taken off[\s\S]*asked to be back/, 'the newest first');
  assert.match(await changes.nth(2).innerText(), /Put on the list[\s\S]*asked at the counter/);
  assert.equal(await changes.count(), 1 + 2);
});

story('a list is imported, and what is refused is told', { path: '/suppressions' }, async (page) => {
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Import a list' });
  const list = 'address,reason,expires_at\nold.one@albatross.example,complaint,\nnobody,,\nold.two@albatross.example,tired,\n';
  await dialog.getByLabel('CSV file').setInputFiles({ name: 'old.csv', mimeType: 'text/csv', buffer: Buffer.from(list) });
  await dialog.getByRole('button', { name: 'Suppress these' }).click();
  await dialog.getByRole('alert').filter({ hasText: '1 added, 0 there already. 2 rows were refused' }).waitFor();
  await dialog.getByText('Line 3, address “nobody”: it has no @').waitFor();
  await dialog.getByText('Line 4, reason “tired”: not a reason').waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.goto('/suppressions?q=old.one');
  await page.getByRole('row').filter({ hasText: 'old.one@albatross.example' }).getByText('Reported as spam').waitFor();
});

story('a bounced contact says why it gets nothing, and leads to the mail', { path: '/contacts?status=hard_bounce' }, async (page) => {
  const row = page.getByRole('table', { name: 'Contacts' }).getByRole('row').nth(1);
  await row.getByText('Address does not work').waitFor();
  await row.getByRole('link').first().click();
  const card = page.locator('section').filter({ hasText: 'Can it be mailed?' });
  await card.getByText('Nothing', { exact: true }).waitFor();
  await card.getByText(/^keeps away: every mail/).waitFor();
  await card.getByRole('link').first().click();
  await page.waitForURL(/\/recipients\/\d+/);
  await page.getByText('Bounced').first().waitFor();
});
