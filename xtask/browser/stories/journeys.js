// A journey from nothing to somebody on its way: made in the editor, checked, published, entered, looked at.

import assert from 'node:assert/strict';
import { PHONE, accessible, ask, fitsWidth, picture, settled, story } from '../harness/browser.js';

const NAME = 'Welcome aboard';
const LIST = 'Deckhands';

/** The sidebar has a page of some of these names. */
const tab = (page, name) => page.getByRole('navigation', { name: 'Parts of the journey' }).getByRole('link', { name, exact: true });

/** Adds a step at the place that `behind` names. */
async function add(page, behind, kind) {
  await page.getByRole('button', { name: behind, exact: true }).click();
  await page.getByRole('dialog', { name: 'Add a step' }).getByRole('button', { name: kind, exact: true }).click();
}

/** The dialog of a step, which is open. */
const step = (page) => page.getByRole('dialog').filter({ has: page.getByRole('button', { name: 'Done' }) });

async function done(page) {
  await step(page).getByRole('button', { name: 'Done' }).click();
  await step(page).waitFor({ state: 'hidden' });
}

story('a journey is made, checked, published, and somebody is on it', { path: '/journeys' }, async (page) => {
  const list = await ask(page, 'POST', '/lists', { name: LIST });
  await page.getByRole('link', { name: 'Make a journey' }).first().click();
  await page.getByLabel('Name').fill(NAME);
  await page.getByRole('button', { name: 'Next: steps' }).click();
  await page.getByRole('heading', { level: 1, name: NAME }).waitFor();

  await page.getByLabel('Who joins this list enters').selectOption({ label: LIST });
  await add(page, 'Add a step at the beginning', 'Send a mail');
  await step(page).getByLabel('Template').selectOption({ label: 'Timetable' });
  await step(page).getByLabel('From address').fill('news@elsewhere.example');
  await done(page);
  await add(page, 'Add a step behind Send a mail', 'Wait for a time');
  await step(page).getByLabel('How long').fill('2');
  await done(page);
  await add(page, 'Add a step behind Wait for a time', 'Split by a rule');
  await done(page);

  // What is not whole is saved, and told at its place; the button that does nothing yet says why.
  await page.getByText('Save before you publish.').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Mend first what must be mended, as the steps say.').waitFor();
  await page.locator('.outline li').filter({ hasText: 'Send a mail' }).first().getByText(/The domain elsewhere\.example is not a sending domain/).waitFor();
  await page.locator('.outline').getByText('leads nowhere yet').waitFor();

  await page.getByRole('button', { name: 'Edit Send a mail' }).click();
  await step(page).getByLabel('From address').fill('news@packetboat-demo.example');
  await done(page);
  await page.getByRole('button', { name: 'Add a step behind Split by a rule, If not', exact: true }).click();
  const adding = page.getByRole('dialog', { name: 'Add a step' });
  await adding.getByLabel('Or go on with a step that is there').selectOption({ label: 'Exit' });
  await adding.getByRole('button', { name: 'Go on with it' }).click();
  await page.locator('.outline').getByText('goes on with “Exit”').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Save before you publish.').waitFor({ state: 'detached' });

  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `the editor of a journey, ${theme}`);
    await picture(page, `journey-editor-${theme}`);
  }
  await page.getByRole('button', { name: 'Publish…' }).click();
  await page.getByRole('dialog', { name: 'Publish this journey?' }).getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText('Live', { exact: true }).waitFor();

  const { items } = await ask(page, 'GET', '/contacts?status=active&limit=1');
  await ask(page, 'PUT', `/contacts/${items[0].id}/lists`, { lists: [list.id] });
  await page.getByText('1 under way, 1 entered').waitFor({ timeout: 30_000 });
  await tab(page, 'Figures').click();
  const figures = page.getByRole('table', { name: 'Figures by step' });
  await figures.getByRole('row').filter({ hasText: 'Wait for a time' }).getByRole('link', { name: '1' }).click();
  await page.waitForURL(/tab=contacts.*step=wait-1/);
  const run = page.getByRole('table', { name: 'Contacts' }).getByRole('row').filter({ hasText: items[0].email });
  await run.getByText('Under way').waitFor();
  await run.getByRole('button', { name: /^What .* has done$/ }).click();
  await page.getByRole('dialog').getByText('Send a mail').waitFor();
  await page.keyboard.press('Escape');

  await run.getByRole('button', { name: /^Take .* out$/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take out' }).click();
  await page.getByText('Nothing matches').waitFor();
  await page.goto('/journeys');
  await page.getByRole('row').filter({ hasText: NAME }).getByRole('link', { name: NAME }).click();
  await tab(page, 'Figures').click();
  await page.getByRole('listitem').filter({ hasText: 'Taken out' }).getByRole('link').click();
  await page.waitForURL(/reason=by_hand/);
  await run.getByText('Taken out', { exact: true }).waitFor();
});

story('a journey fits a phone', { path: '/journeys', size: PHONE }, async (page) => {
  await page.getByRole('link', { name: NAME }).click();
  for (const name of ['Steps', 'Figures', 'Contacts']) {
    await tab(page, name).click();
    await settled(page);
    await fitsWidth(page, `the journey's tab ${name}`);
    await picture(page, `journey-${name}-phone-light`);
  }
  assert.ok(await page.getByRole('table', { name: 'Contacts' }).isVisible());
});
