// The keyboard alone: from the sign-in page over the navigation to something done.

import assert from 'node:assert/strict';
import { PERSON, settled, story } from '../harness/browser.js';

/** Presses Tab until `locator` has the focus, as somebody does who has no mouse. */
async function tabTo(page, locator, most = 60) {
  for (let presses = 0; presses < most; presses += 1) {
    if (await locator.evaluateAll((elements) => elements.includes(document.activeElement))) {
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`${locator} is not reached by ${most} presses of Tab`);
}

/** What has the focus must be seen to have it. */
async function focusIsSeen(page) {
  const seen = await page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
  });
  assert.ok(seen, await page.evaluate(() => `no focus is seen on ${document.activeElement.outerHTML.slice(0, 200)}`));
}

/** Tab to it, see the focus there, press Enter. */
async function press(page, locator) {
  await locator.waitFor();
  await tabTo(page, locator);
  await focusIsSeen(page);
  await page.keyboard.press('Enter');
}

story('the console works without a mouse', { path: '/', signedIn: false, expects: [/status of 401|answer: 401 to GET \S+\/session/] }, async (page) => {
  const email = page.getByLabel('Email address');
  await email.waitFor();
  await tabTo(page, email);
  await page.keyboard.type(PERSON.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(PERSON.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await settled(page);

  await tabTo(page, page.getByRole('link', { name: 'Suppressions' }));
  await focusIsSeen(page);
  await page.keyboard.press('Enter');
  const heading = page.getByRole('heading', { level: 1, name: 'Suppressions' });
  await heading.waitFor();
  await settled(page);
  assert.ok(await heading.evaluate((element) => element === document.activeElement), 'a new page takes the focus');

  const add = page.getByRole('button', { name: 'Suppress an address' });
  await tabTo(page, add);
  await focusIsSeen(page);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Suppress an address' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.ok(await add.evaluate((element) => element === document.activeElement), 'the focus comes back');
  await page.keyboard.press('Enter');
  await tabTo(page, dialog.getByLabel('Address'));
  await page.keyboard.type('by.keyboard@albatross.example');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'by.keyboard@albatross.example' }).waitFor();

  await page.keyboard.press('/');
  const search = page.getByRole('searchbox', { name: 'Search addresses' });
  assert.ok(await search.evaluate((element) => element === document.activeElement), '/ leads to the search');
  await page.keyboard.type('by.keyboard');
  await page.getByRole('cell', { name: 'by.keyboard@albatross.example', exact: true }).waitFor();
});

story('a campaign is launched without a mouse', {}, async (page) => {
  const name = 'Typed news';
  await settled(page);
  await press(page, page.getByRole('link', { name: 'Campaigns' }));
  await press(page, page.getByRole('link', { name: 'Make a campaign' }));
  await tabTo(page, page.getByLabel('Name', { exact: true }));
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  // It begins with the template and the sender of the campaign before.
  await press(page, page.getByRole('button', { name: 'Save, next: audience' }));
  const audience = page.getByRole('combobox', { name: 'Who gets it' });
  await audience.getByRole('option', { name: 'Browser people' }).waitFor({ state: 'attached' });
  await tabTo(page, audience);
  await page.keyboard.type('Browser');
  await page.getByRole('status').filter({ hasText: /will receive/ }).waitFor();
  await press(page, page.getByRole('button', { name: 'Save, next: sender' }));
  await press(page, page.getByRole('button', { name: 'Save, next: review' }));
  await press(page, page.getByRole('button', { name: 'Launch…' }));
  const sure = page.getByRole('dialog', { name: 'Launch this campaign?' });
  await tabTo(page, sure.getByLabel(/to confirm/));
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name }).waitFor();
  await page.getByText('Finished', { exact: true }).first().waitFor({ timeout: 60_000 });
});
