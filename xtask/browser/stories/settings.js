// The workspace and its people.

import assert from 'node:assert/strict';
import { ask, settled, story } from '../harness/browser.js';

const REFUSED = /status of 422|answer: 422 to/;

story('the postal address is changed where it belongs', { path: '/workspace', expects: [REFUSED] }, async (page) => {
  await settled(page);
  const address = page.getByLabel('Postal address');
  await address.fill('2 Harbour Street, 1000 Lisbon, Portugal');
  await page.getByLabel('Time zone').fill('Europe/Atlantis');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is no time zone').waitFor();
  await page.getByLabel('Time zone').fill('Europe/Lisbon');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved', { exact: true }).waitFor();
  const kept = await ask(page, 'GET', '/workspace');
  assert.equal(kept.postal_address, '2 Harbour Street, 1000 Lisbon, Portugal');
  assert.equal(kept.time_zone, 'Europe/Lisbon');
});

story('a person is added, and a weak password is refused beside its field', { path: '/people', expects: [REFUSED] }, async (page) => {
  await settled(page);
  await page.getByRole('button', { name: 'Add a person' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Add a person' });
  await dialog.getByLabel('Mail address').fill('rui@example.com');
  await dialog.getByLabel('Role').selectOption('viewer');
  await dialog.getByLabel('First password').fill('short');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.getByText('at least 10 characters').last().waitFor();
  await dialog.getByLabel('First password').fill('a longer password');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('cell', { name: 'rui@example.com' }).waitFor();
});
