// Makes the pictures of README and documents: the demo's console, a campaign of some size in it.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGES } from './harness/demo.js';
import { DESKTOP, ask, comeHome, demoLink, keepSession, open, setOut, settled } from './harness/browser.js';

const SIZE = DESKTOP;
const NOBODY = [/401/];

const campaign = async (page) => `/campaigns/${(await ask(page, 'GET', '/campaigns')).items.at(-1).id}`;
const template = async (page) => `/templates/${(await ask(page, 'GET', '/templates')).items.at(-1).id}`;

/** Name of the file, which page, in which theme. */
const PICTURES = [
  ['overview', async () => '/', 'light'],
  ['campaign', campaign, 'light'],
  ['campaign-dark', campaign, 'dark'],
  ['template', template, 'light'],
];

mkdirSync(IMAGES, { recursive: true });
await setOut({ recipients: 5000 });
try {
  const entrance = await open({ path: demoLink, signedIn: false, expects: NOBODY });
  await entrance.page.getByRole('heading', { name: 'Overview' }).waitFor();
  await keepSession(entrance.page);
  await entrance.close();
  for (const [name, where, theme] of PICTURES) {
    const { page, close } = await open({ size: SIZE, theme });
    await page.goto(await where(page));
    await settled(page);
    const path = join(IMAGES, `${name}.png`);
    await page.screenshot({ path });
    console.log(path);
    await close();
  }
} finally {
  await comeHome();
}
