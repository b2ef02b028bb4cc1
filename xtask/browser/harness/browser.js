// Chromium over the demo. A page that complains (an error in the console, a violation of the Content-Security-Policy, a
// request that fails) makes its test fail, unless the test said beforehand what it expects.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { ARTIFACTS, startDemo } from './demo.js';

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
/** Whoever the tests sign in by password. */
export const PERSON = { email: 'tester@packetboat.example', password: 'carries mail on schedule', name: 'Tess Tester', role: 'owner' };

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The longest story watches a campaign to its end. */
const STORY_WAIT_MS = 90_000;

let voyage;

/** Starts demo and browser, once. */
export async function setOut({ recipients }) {
  const demo = await startDemo({ recipients });
  const home = mkdtempSync(join(tmpdir(), 'packetboat-browser-'));
  try {
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
      // Chromium writes to its home whatever folder its profile lies in.
      env: { ...process.env, HOME: home },
    });
    voyage = { demo, browser, home, session: undefined };
  } catch (error) {
    await demo.stop();
    throw error;
  }
  return voyage;
}

/** Ends browser and demo. */
export async function comeHome() {
  if (!voyage) {
    return;
  }
  await voyage.browser.close();
  rmSync(voyage.home, { recursive: true, force: true });
  await voyage.demo.stop();
}

/** The one-time link that the demo printed. */
export const demoLink = () => voyage.demo.link;

/** The page where one of its recipients unsubscribes. */
export const unsubscribePage = () => voyage.demo.unsubscribe;

/** Later pages are signed in as this one is. */
export async function keepSession(page) {
  voyage.session = await page.context().storageState();
}

/**
 * One test over one page of its own: its own cookies, size and theme. `expects` are the complaints that it provokes.
 * What the page looked like when it failed is among the artefacts.
 */
export function story(name, options, tell) {
  // A page that hangs must not take the stories after it along.
  test(name, { timeout: STORY_WAIT_MS }, async () => {
    const { page, close } = await open(options);
    let failure;
    try {
      await tell(page);
    } catch (error) {
      failure = error;
      await picture(page, `failed-${name}`).catch(() => {});
    }
    const complaints = await close();
    if (failure) {
      failure.message = [failure.message, ...complaints].join('\n');
      throw failure;
    }
    assert.deepEqual(complaints, [], 'the page complained');
  });
}

/** A page; `close` tells what it complained about. */
export async function open({ path = '/', size = DESKTOP, theme = 'light', signedIn = true, expects = [] }) {
  const context = await voyage.browser.newContext({
    baseURL: voyage.demo.origin,
    viewport: size,
    colorScheme: theme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    storageState: signedIn ? voyage.session : undefined,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints = watch(page);
  const close = async () => {
    await context.close();
    return complaints.filter((complaint) => !expects.some((expected) => expected.test(complaint)));
  };
  // The demo's link is known only once the demo runs.
  await page.goto(typeof path === 'function' ? path() : path);
  return { page, close };
}

function watch(page) {
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) {
      complaints.push(`console: ${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // A page that is left drops its requests; that is meant to be so.
    if (why !== 'net::ERR_ABORTED') {
      complaints.push(`request: ${request.method()} ${request.url()} ${why}`);
    }
  });
  page.on('response', (response) => {
    if (response.status() >= 400) {
      complaints.push(`answer: ${response.status()} to ${response.request().method()} ${response.url()}`);
    }
  });
  return complaints;
}

/** Fails on what axe calls serious or critical. */
export async function accessible(page, where) {
  // Evaluated, not added as a script: the console's policy lets no foreign script in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const found = grave.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`));
  assert.deepEqual(found, [], `axe about ${where}`);
}

/** Fails when the page is wider than the window. */
export async function fitsWidth(page, where) {
  const [wide, window, culprits] = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const beyond = [...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > width + 1);
    return [document.documentElement.scrollWidth, width, beyond.slice(0, 3).map((element) => element.outerHTML.slice(0, 120))];
  });
  assert.ok(wide <= window, `${where} is ${wide} px wide in a window of ${window} px: ${culprits.join(' … ')}`);
}

/** A picture among the artefacts. */
export async function picture(page, name, { fullPage = true } = {}) {
  mkdirSync(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTIFACTS, `${name.replace(/[^a-z0-9.-]+/gi, '-')}.png`), fullPage });
}

/** Waits until nothing on the page is still being loaded. */
export async function settled(page) {
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.skeleton'));
}

/** Asks the API as the page's user. */
export async function ask(page, method, path, data) {
  const { csrf_token } = await (await page.request.get('/api/v1/session')).json();
  const answer = await page.request.fetch(`/api/v1${path}`, { method, data, headers: { 'X-CSRF-Token': csrf_token } });
  assert.ok(answer.ok(), `${method} ${path} was answered ${answer.status()}: ${await answer.text()}`);
  return answer.json();
}
