// Holding a campaign: paused it waits, resumed it goes on to its end, cancelled it is over, and nobody gets lost.

import { ask, settled, story } from '../harness/browser.js';

/** A campaign to everybody of the demo's segment, paused before most of it has left. */
async function paused(page, name) {
  const [segment] = (await ask(page, 'GET', '/segments')).items.filter((segment) => segment.name === 'Newsletter');
  const [template] = (await ask(page, 'GET', '/templates')).items.filter((template) => template.name === 'Timetable');
  const draft = { name, template_id: template.id, segment_id: segment.id, from_email: 'news@packetboat-demo.example' };
  const { id } = await ask(page, 'POST', '/campaigns', draft);
  await ask(page, 'POST', `/campaigns/${id}/launch`);
  await ask(page, 'POST', `/campaigns/${id}/pause`);
  await page.goto(`/campaigns/${id}`);
  await settled(page);
  await page.getByText('Paused', { exact: true }).waitFor();
}

story('a paused campaign goes on when it is resumed', {}, async (page) => {
  await paused(page, 'Held for a while');
  await page.locator('#page').getByRole('button', { name: 'Resume' }).click();
  await page.getByText('Paused', { exact: true }).waitFor({ state: 'detached' });
  await page.getByText('Finished', { exact: true }).first().waitFor({ timeout: 60_000 });
  await page.locator('#page').getByRole('button', { name: 'Resume' }).waitFor({ state: 'detached' });
});

story('a cancelled campaign is over, and everybody is accounted for', {}, async (page) => {
  const name = 'Called off';
  await paused(page, name);
  await page.getByRole('button', { name: 'Cancel…' }).click();
  const sure = page.getByRole('dialog', { name: 'Cancel this campaign?' });
  await sure.getByText('cannot be undone').waitFor();
  await sure.getByLabel(/to confirm/).fill(name);
  await sure.getByRole('button', { name: 'Cancel the campaign' }).click();
  await page.locator('.state-line').getByText('Cancelled', { exact: true }).waitFor();
  await page.goto('/queue');
  await page.getByText('Every recipient is accounted for').waitFor();
});
