// Signing in and out. The first story uses up the demo's link; all later pages are signed in as it leaves them.

import assert from 'node:assert/strict';
import { PERSON, accessible, ask, demoLink, keepSession, picture, settled, story } from '../harness/browser.js';

/** Asking who is signed in is answered 401 where nobody is, and browsers note that. */
const NOBODY = /status of 401|answer: 401 to \w+ \S+\/session/;

async function enter(page, password) {
  await page.getByLabel('Email address').fill(PERSON.email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

story('the link from the terminal signs in', { path: demoLink, signedIn: false, expects: [NOBODY] }, async (page) => {
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  assert.equal(new URL(page.url()).search, '', 'the token stays in no history');
  await keepSession(page);
  await ask(page, 'POST', '/users', PERSON);
});

story('the link works only once', { path: demoLink, signedIn: false, expects: [NOBODY] }, async (page) => {
  await page.getByRole('alert').filter({ hasText: 'used already' }).waitFor();
  await page.goto('/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

story('a wrong password is refused, a right one leads to the page that was asked for', { path: '/queue?state=queued', signedIn: false, expects: [NOBODY] }, async (page) => {
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `signing in, ${theme}`);
    await picture(page, `sign-in-${theme}`);
  }
  await enter(page, 'not the password');
  await page.getByRole('alert').filter({ hasText: 'password is wrong' }).waitFor();
  await enter(page, PERSON.password);
  await page.getByRole('heading', { name: 'Queue', exact: true }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/queue');
  assert.equal(new URL(page.url()).searchParams.get('state'), 'queued');
});

story('signing out ends the session', { path: '/sign-in', signedIn: false, expects: [NOBODY] }, async (page) => {
  await enter(page, PERSON.password);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await settled(page);
  const cookies = await page.context().cookies();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  // The cookie of before is worth nothing now, whoever kept it.
  await page.context().addCookies(cookies);
  await page.goto('/contacts');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});
