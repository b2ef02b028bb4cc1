// Every page, opened by its address, in both widths and both themes: it shows the same after a reload, needs no sideways
// scrolling, and axe finds nothing serious. What they looked like is among the artefacts.

import assert from 'node:assert/strict';
import { DESKTOP, PHONE, accessible, ask, fitsWidth, picture, settled, story } from '../harness/browser.js';

/** The newest of a list of the API. */
const newest = (list) => async (page) => (await ask(page, 'GET', list)).items[0].id;
const finished = async (page) => (await ask(page, 'GET', '/campaigns?state=finished')).items.at(-1).id;

const PAGES = [
  { name: 'overview', path: '/', title: 'Overview' },
  { name: 'campaigns', path: '/campaigns', title: 'Campaigns' },
  { name: 'campaign-new', path: '/campaigns/new' },
  { name: 'campaign', path: '/campaigns/ID', id: finished },
  { name: 'campaign-recipients', path: '/campaigns/ID/recipients', id: finished },
  { name: 'journeys', path: '/journeys', title: 'Journeys' },
  { name: 'journey-new', path: '/journeys/new', title: 'Make a journey' },
  { name: 'templates', path: '/templates', title: 'Templates' },
  { name: 'template-new', path: '/templates/new' },
  { name: 'template', path: '/templates/ID', id: newest('/templates') },
  { name: 'contacts', path: '/contacts', title: 'Contacts' },
  { name: 'contact-new', path: '/contacts/new', title: 'Add a contact' },
  { name: 'contact', path: '/contacts/ID', id: newest('/contacts?status=suppressed') },
  { name: 'imports', path: '/contacts/import', title: 'Import contacts' },
  { name: 'import', path: '/imports/ID', id: newest('/imports') },
  { name: 'segments', path: '/segments', title: 'Segments' },
  { name: 'segment-new', path: '/segments/new', title: 'Build a segment' },
  { name: 'segment', path: '/segments/ID', id: newest('/segments') },
  { name: 'lists', path: '/lists', title: 'Lists' },
  { name: 'preference-centre', path: '/preference-centre', title: 'Preference centre' },
  { name: 'hygiene', path: '/hygiene', title: 'List hygiene' },
  { name: 'queue', path: '/queue', title: 'Queue' },
  { name: 'domains', path: '/domains', title: 'Domains' },
  { name: 'domain', path: '/domains/ID', id: newest('/domains') },
  { name: 'domain-keys', path: '/domains/ID?tab=keys', id: newest('/domains') },
  { name: 'domain-demands', path: '/domains/ID?tab=demands', id: newest('/domains') },
  { name: 'egress', path: '/egress', title: 'Egress' },
  { name: 'reports', path: '/reports', title: 'Reports' },
  { name: 'reports-tls', path: '/reports?tab=tls', title: 'Reports' },
  { name: 'reports-blocklists', path: '/reports?tab=blocklists', title: 'Reports' },
  { name: 'reports-feedback', path: '/reports?tab=feedback', title: 'Reports' },
  { name: 'bounces', path: '/bounces', title: 'Bounces' },
  { name: 'suppressions', path: '/suppressions', title: 'Suppressions' },
  { name: 'suppression-history', path: '/suppressions/history', title: 'History of suppressions' },
  { name: 'messages', path: '/messages', title: 'Messages' },
  { name: 'trace', path: '/trace', title: 'Trace' },
  { name: 'replies', path: '/replies', title: 'Replies' },
  { name: 'reply-addresses', path: '/replies?tab=addresses', title: 'Replies' },
  { name: 'providers', path: '/providers', title: 'Providers' },
  { name: 'unknown-texts', path: '/unknown-texts', title: 'Unknown texts' },
  { name: 'webhooks', path: '/webhooks', title: 'Webhooks' },
  { name: 'api-keys', path: '/api-keys', title: 'API keys' },
  { name: 'smtp-credentials', path: '/smtp-credentials', title: 'SMTP credentials' },
  { name: 'workspace', path: '/workspace', title: 'Workspace' },
  { name: 'people', path: '/people', title: 'People & roles' },
];

for (const { name, path, title, id } of PAGES) {
  story(`page ${name}`, { path: '/api/v1/session' }, async (page) => {
    await page.goto(id ? path.replace('ID', await id(page)) : path);
    await settled(page);
    const heading = await page.getByRole('heading', { level: 1 }).innerText();
    if (title) {
      assert.equal(heading, title);
    }
    assert.ok((await page.title()).startsWith(heading), `the window is called ${await page.title()}`);
    await looks(page, name, 'desktop', DESKTOP);
    await page.reload();
    await settled(page);
    assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), heading, 'the same after a reload');
    await looks(page, name, 'phone', PHONE);
  });
}

async function looks(page, name, width, size) {
  await page.setViewportSize(size);
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await fitsWidth(page, `${name}, ${width}`);
    // The colours are those of the desktop, and axe needs its time.
    if (size === DESKTOP || theme === 'light') {
      await accessible(page, `${name}, ${width}, ${theme}`);
    }
    await picture(page, `${name}-${width}-${theme}`);
  }
}
