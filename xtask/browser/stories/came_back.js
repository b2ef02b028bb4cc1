// What comes back: a text that no rule knows becomes a rule, a complaint stands at the end of the trace, and the figures of
// the bounces lead to whom they count.

import assert from 'node:assert/strict';
import { ask, settled, story } from '../harness/browser.js';

const TEXT = '550 5.0.0 The boatswain found no hammock for you';

const report = (to, kind, parts) => [
  'From: postmaster@mx.example', `To: ${to}`, 'Subject: A report', 'Date: Fri, 27 Nov 2026 10:00:00 +0000',
  `Message-ID: <${kind}@mx.example>`, 'MIME-Version: 1.0', `Content-Type: multipart/report; report-type=${kind}; boundary="b"`,
  ...parts.flatMap((part) => ['', '--b', ...part]), '', '--b--', '',
].join('\r\n');

const bounce = (path, to) => report(path, 'delivery-status', [
  ['Content-Type: text/plain', '', 'Your mail came back.'],
  ['Content-Type: message/delivery-status', '', 'Reporting-MTA: dns; mx.example', '',
    `Final-Recipient: rfc822; ${to}`, 'Action: failed', 'Status: 5.0.0', `Diagnostic-Code: smtp; ${TEXT}`],
]);

const complaint = (path, to) => report('fbl@bounce.packetboat-demo.example', 'feedback-report', [
  ['Content-Type: text/plain', '', 'Somebody called this spam.'],
  ['Content-Type: message/feedback-report', '', 'Feedback-Type: abuse', 'User-Agent: Heron/1.0', 'Version: 1',
    `Original-Mail-From: <${path}>`, `Original-Rcpt-To: <${to}>`],
  ['Content-Type: text/rfc822-headers', '', `Return-Path: <${path}>`, `To: ${to}`, 'Subject: The boat'],
]);

/** Somebody whose mail was taken at last, with the return path that it carried: conversations that failed are kept. */
async function somebody(page, nth) {
  const campaign = (await ask(page, 'GET', '/campaigns?state=finished')).items.at(-1);
  const { items } = await ask(page, 'GET', `/campaigns/${campaign.id}/recipients?state=delivered&provider=greyheron-mx.example`);
  const recipient = items.filter(({ attempts }) => attempts > 1)[nth];
  const [talk] = await ask(page, 'GET', `/recipients/${recipient.id}/conversations`);
  const [, path] = /MAIL FROM:<([^>]+)>/.exec(talk.text);
  return { ...recipient, path };
}

/** Feeds a mail as one that came by another way. */
async function feed(page, rcpt, mail) {
  const { csrf_token } = await (await page.request.get('/api/v1/session')).json();
  const headers = { 'X-CSRF-Token': csrf_token, 'Content-Type': 'message/rfc822' };
  const answer = await page.request.post(`/api/v1/inbound?rcpt=${encodeURIComponent(rcpt)}`, { data: mail, headers });
  const [told] = await answer.json();
  return told.done;
}

story('a text that no rule knows is judged, made a rule, and dismissed', {}, async (page) => {
  const { address, path } = await somebody(page, 0);
  assert.equal(await feed(page, path, bounce(path, address)), 'bounced');
  const row = page.getByRole('table', { name: 'Unknown texts' }).getByRole('row').filter({ hasText: 'boatswain' });
  // Texts are written together, every few seconds.
  for (let looks = 0; looks < 10 && (await row.count()) === 0; looks += 1) {
    await page.goto('/unknown-texts');
    await settled(page);
    await page.waitForTimeout(1000);
  }
  await row.getByText('greyheron-mx.example').waitFor();

  await row.getByRole('button', { name: /^Make a rule of/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Make a rule' });
  await dialog.getByLabel('What does it mean?').selectOption('bad_mailbox');
  const rule = dialog.locator('.copy-box code');
  await rule.filter({ hasText: 'class = "bad_mailbox"' }).waitFor();
  assert.match(await rule.innerText(), /\[\[bounce_rule\]\][\s\S]*boatswain found no hammock/);
  await page.keyboard.press('Escape');

  await row.getByRole('link', { name: 'Try it' }).click();
  const tester = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'Try a reply' }) });
  // Judged already, and in sight.
  await tester.getByText('Meaning', { exact: true }).waitFor();
  const box = await tester.boundingBox();
  assert.ok(box.y < page.viewportSize().height, 'the tester is seen without scrolling');
  assert.equal(await tester.getByLabel("The server's words").inputValue(), TEXT);

  await page.goBack();
  await row.getByRole('button', { name: /^Dismiss/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Dismiss it' }).click();
  await row.waitFor({ state: 'detached' });
});

story('a complaint stands in the trace, and its address on the list', {}, async (page) => {
  const { id, address, path } = await somebody(page, 1);
  assert.equal(await feed(page, 'fbl@bounce.packetboat-demo.example', complaint(path, address)), 'complained');
  const told = page.locator('.timeline');
  const complained = told.getByText(/^Reported as spam/);
  // Events are written together, a moment later.
  for (let looks = 0; looks < 10 && (await complained.count()) === 0; looks += 1) {
    await page.goto(`/recipients/${id}`);
    await settled(page);
  }
  const words = await told.innerText();
  const at = ['Reported as spam', 'Accepted by', 'Greylisted', 'Queued by the campaign'].map((word) => words.indexOf(word));
  assert.ok(at.every((place) => place >= 0) && at.join() === [...at].sort((a, b) => a - b).join(), `the newest first: ${at}`);
  await told.getByRole('link', { name: 'the suppression list' }).click();
  await page.waitForURL(/\/suppressions\?q=/);
  await page.getByRole('row').filter({ hasText: address }).getByText('Reported as spam').waitFor();
  await page.goto('/reports?tab=feedback');
  await page.getByText('Nobody complained in this time.').waitFor({ state: 'detached' });
});

story('every figure of the bounces leads to as many recipients', { path: '/bounces' }, async (page) => {
  for (const by of ['', 'provider', 'source', 'campaign', 'day']) {
    await page.goto(by ? `/bounces?by=${by}` : '/bounces');
    await settled(page);
    await page.getByText(/^\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d \(UTC\)$/).waitFor();
    const figures = await page.getByRole('table', { name: 'Bounces' }).getByRole('link').evaluateAll((links) =>
      links.map((link) => ({ href: link.getAttribute('href'), counts: Number(link.innerText.replaceAll(',', '')) })));
    assert.ok(figures.length >= 2, 'there are figures');
    for (const { href, counts } of figures) {
      await page.goto(href);
      await settled(page);
      const rows = page.getByRole('table', { name: 'Recipients', exact: true }).locator('tbody tr');
      await rows.first().waitFor();
      assert.equal(await rows.count(), counts, href);
    }
  }
});
