// What a person does by hand: a message followed and called back, a reply judged, an automation lifted, many recipients
// held and released, a test delivery watched, a warm-up steered.

import assert from 'node:assert/strict';
import { ask, settled, story } from '../harness/browser.js';

const FROM = 'news@packetboat-demo.example';
const DAY_MS = 86_400_000;

/** Some address that takes mail: one of the campaign's that has it. */
async function somebody(page) {
  const finished = (await ask(page, 'GET', '/campaigns?state=finished')).items.at(-1);
  const { items } = await ask(page, 'GET', `/campaigns/${finished.id}/recipients?state=delivered&limit=1`);
  return items[0].address;
}

/** A message that waits until tomorrow. */
async function forTomorrow(page, subject, to) {
  const send_at = new Date(Date.now() + DAY_MS).toISOString();
  return (await ask(page, 'POST', '/messages', { from: FROM, to, subject, text: 'Until tomorrow.', send_at })).id;
}

const toast = (page, words) => page.getByRole('status').filter({ hasText: words }).first().waitFor();

story('a message is found, and its timeline tells what became of it', {}, async (page) => {
  const to = await somebody(page);
  await ask(page, 'POST', '/messages', { from: FROM, to: [to], subject: 'Your berth', text: 'Number seven.', tags: ['berth'] });
  await page.goto('/messages?q=berth');
  await page.getByRole('table', { name: 'Messages' }).getByRole('link', { name: to }).first().click();
  await page.getByRole('heading', { level: 1, name: 'Your berth' }).waitFor();
  const recipient = page.locator('.card').filter({ has: page.getByRole('heading', { name: to }) });
  await recipient.getByText('Accepted', { exact: true }).first().waitFor({ timeout: 30_000 });
  await recipient.locator('.timeline').getByText(/^250 /).first().waitFor({ timeout: 30_000 });
  assert.equal(await page.getByRole('button', { name: 'Cancel', exact: true }).count(), 0, 'nothing is left to cancel');
});

story('an address leads to everything sent to it, and that to the whole story of each mail', {}, async (page) => {
  const to = await somebody(page);
  await page.goto('/messages');
  await page.getByRole('searchbox', { name: /whole address/ }).fill(to);
  await page.getByRole('link', { name: 'All mail to this address' }).click();
  await page.getByRole('heading', { level: 1, name: 'Trace' }).waitFor();
  await page.locator('.card').filter({ has: page.getByRole('heading', { name: 'How it stands' }) }).getByText(to).first().waitFor();
  const mails = page.getByRole('table', { name: 'Mail to this address' });
  await mails.getByRole('row').filter({ hasText: 'Accepted' }).first().getByRole('link').first().click();
  await page.getByRole('heading', { level: 1, name: to }).waitFor();
  const story = page.locator('.timeline');
  await story.getByText(/^(Queued by the campaign|Handed in)/).waitFor();
  await story.getByText(/^250 /).first().waitFor();
  await page.getByRole('link', { name: 'All mail to it' }).waitFor();
});

story('a campaign says what its recipients did, and who did it', {}, async (page) => {
  const finished = (await ask(page, 'GET', '/campaigns?state=finished')).items.at(-1);
  await page.goto(`/campaigns/${finished.id}`);
  const did = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'What recipients did' }) });
  await did.getByRole('link', { name: /Unsubscribed/ }).click();
  await page.waitForURL(/response=unsubscribed/);
  await settled(page);
  const { items } = await ask(page, 'GET', `/campaigns/${finished.id}/recipients?response=unsubscribed`);
  const { responses } = await ask(page, 'GET', `/campaigns/${finished.id}/progress`);
  assert.equal(items.length, responses.find((one) => one.response === 'unsubscribed').count);
});

story('a message that waits is called back', {}, async (page) => {
  const id = await forTomorrow(page, 'Called back', ['called.back@albatross.example']);
  await page.goto(`/messages/${id}`);
  await settled(page);
  await page.locator('#page').getByRole('button', { name: 'Cancel', exact: true }).click();
  const sure = page.getByRole('dialog', { name: 'Cancel this message?' });
  await sure.getByRole('button', { name: 'Cancel the message' }).click();
  await page.locator('.facts').getByText('Cancelled', { exact: true }).waitFor();
  assert.equal((await ask(page, 'GET', `/messages/${id}`)).message.live, false);
});

story('a reply is judged before it ever comes', { path: '/providers', expects: [/422/] }, async (page) => {
  await page.getByLabel("The server's words").fill('550 5.1.1 no such user here');
  await page.getByLabel('What it answers').selectOption({ label: 'To RCPT TO' });
  await page.getByRole('button', { name: 'What follows?' }).click();
  await page.getByRole('status').filter({ hasText: /bad mailbox/i }).waitFor();
  await page.getByLabel("The server's words").fill('no reply at all');
  await page.getByRole('button', { name: 'What follows?' }).click();
  await page.getByRole('alert').first().waitFor();
});

story('an automation is lifted', { path: '/providers' }, async (page) => {
  await settled(page);
  const table = page.getByRole('table', { name: 'Automations' });
  const lift = table.getByRole('button', { name: /^Lift / });
  await lift.first().waitFor();
  const before = await lift.count();
  await lift.first().click();
  const sure = page.getByRole('dialog', { name: /^Lift / });
  await sure.getByRole('button', { name: 'Lift it' }).click();
  await toast(page, 'goes on');
  await page.waitForFunction((n) => document.querySelectorAll('button[aria-label^="Lift "]').length < n, before);
});

story('all that match are held, and released again', {}, async (page) => {
  const id = await forTomorrow(page, 'Held and released', ['one@held.example', 'two@held.example', 'three@held.example']);
  await page.goto('/queue?domain=held.example');
  await settled(page);
  const recipients = page.getByRole('table', { name: 'Recipients in the queue' });
  await recipients.getByRole('row').filter({ hasText: 'one@held.example' }).waitFor();
  assert.equal(await recipients.getByRole('row').count(), 1 + 3);
  const bar = page.getByRole('group', { name: 'Actions on many recipients' });
  const waiting = async () => {
    const { recipients } = await ask(page, 'GET', `/messages/${id}`);
    return recipients.items.map(({ recipient }) => recipient.wait_reason);
  };
  for (const action of ['Hold', 'Release']) {
    await bar.getByRole('button', { name: `${action}…` }).click();
    const sure = page.getByRole('dialog', { name: new RegExp(`^${action}: `) });
    await page.getByRole('dialog', { name: /3 recipients/ }).waitFor();
    await sure.getByLabel('Why').fill('looked at by hand');
    await sure.getByRole('button', { name: action, exact: true }).click();
    const job = page.getByRole('table', { name: 'Jobs' }).getByRole('row').filter({ hasText: action }).first();
    await job.getByText('Finished').first().waitFor();
    const held = (await waiting()).filter((reason) => reason === 'held').length;
    assert.equal(held, action === 'Hold' ? 3 : 0, `${action}: ${await waiting()}`);
  }
  await ask(page, 'POST', `/messages/${id}/cancel`);
});

story('a test delivery shows what is said', {}, async (page) => {
  const to = await somebody(page);
  await page.goto('/queue');
  await settled(page);
  await page.getByRole('button', { name: 'Test delivery…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Test delivery' });
  await dialog.getByLabel('To', { exact: true }).fill(to);
  await dialog.getByRole('button', { name: 'Send' }).click();
  await dialog.getByText('Accepted', { exact: true }).waitFor({ timeout: 30_000 });
  const said = await dialog.locator('.reply').innerText();
  for (const words of ['EHLO', 'MAIL FROM', 'RCPT TO', 'queued as']) {
    assert.ok(said.includes(words), `${words} is missing: ${said}`);
  }
});

story('the warm-up of a domain is begun, paused, resumed, set and ended', { path: '/egress' }, async (page) => {
  await settled(page);
  await page.getByRole('button', { name: 'Warm up a domain' }).click();
  const begin = page.getByRole('dialog', { name: 'Warm up a sending domain' });
  await begin.getByLabel('Domain').selectOption('packetboat-demo.example');
  await begin.getByRole('button', { name: 'Begin' }).click();
  await toast(page, 'follows the plan');
  // Its first mail makes the row.
  await ask(page, 'POST', '/messages', { from: FROM, to: [await somebody(page)], subject: 'Warm', text: 'First of many.', stream: 'bulk' });
  const rows = page.getByRole('table', { name: 'Warm-up' }).getByRole('row');
  const row = rows.filter({ hasText: 'packetboat-demo.example' }).first();
  await row.getByText('Warming up', { exact: true }).waitFor({ timeout: 30_000 });
  await row.getByRole('button', { name: /^Pause / }).click();
  await row.getByText('Paused', { exact: true }).waitFor();
  await row.getByRole('button', { name: /^Resume / }).click();
  await row.getByText('Warming up', { exact: true }).waitFor();
  await row.getByRole('button', { name: /^Set the stage/ }).click();
  const stage = page.getByRole('dialog', { name: 'Set the stage' });
  await stage.getByLabel('Stage').selectOption('3');
  await stage.getByRole('button', { name: 'Set the stage' }).click();
  await toast(page, 'goes on at stage 3');
  await row.getByText(/^3 of /).waitFor();
  await page.getByRole('button', { name: 'End the warm-up of packetboat-demo.example' }).click();
  const end = page.getByRole('dialog', { name: 'End this warm-up?' });
  await end.getByRole('button', { name: 'End the warm-up' }).click();
  await toast(page, 'has ended');
});
