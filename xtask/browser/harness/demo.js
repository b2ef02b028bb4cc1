// The demo as a child process: started before the first test, interrupted after the last one, as a person would.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** Where tests leave what they saw; not in git. */
export const ARTIFACTS = join(ROOT, 'test-artifacts');
/** Where the pictures of README and documents lie. */
export const IMAGES = join(ROOT, 'docs', 'images');
const PROGRAM = process.env.PACKETBOAT ?? join(ROOT, 'target', 'release', 'packetboat');

/** The demo sends its campaign before it prints the link. */
const START_WAIT_MS = 180_000;
const STOP_WAIT_MS = 20_000;
/** Its last line; the links stand above it. */
const READY = /Ctrl-C ends the demo/;
const LINK = /(http:\/\/[^\s/]+)\/sign-in\?token=[^\s\x1b]+/;
const UNSUBSCRIBE = /http:\/\/[^\s/]+\/u\/[^\s\x1b]+/;

/** Starts the demo; comes back with its `origin`, its one-time `link`, a recipient's `unsubscribe` page and `stop`. */
export async function startDemo({ recipients }) {
  const port = await freePort();
  const words = ['demo', '--recipients', String(recipients), '--listen', `127.0.0.1:${port}`];
  const child = spawn(PROGRAM, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  // Whatever ends us, the demo does not stay behind.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'exit');
  mkdirSync(ARTIFACTS, { recursive: true });
  const log = createWriteStream(join(ARTIFACTS, 'demo.log'));
  let seen = '';
  const ready = new Promise((found, failed) => {
    const late = setTimeout(() => failed(new Error(`the demo was not ready within ${START_WAIT_MS / 1000} s:\n${seen}`)), START_WAIT_MS);
    const read = (text) => {
      log.write(text);
      seen += text;
      if (READY.test(seen)) {
        clearTimeout(late);
        found();
      }
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('error', failed);
    child.once('exit', (code, signal) => failed(new Error(`the demo ended (${signal ?? code}) before it was ready:\n${seen}`)));
  });
  const stop = async () => {
    child.kill('SIGINT');
    const timer = setTimeout(kill, STOP_WAIT_MS);
    const [code, signal] = await ended;
    clearTimeout(timer);
    process.off('exit', kill);
    log.end();
    if (code !== 0) {
      throw new Error(`the demo did not stop cleanly: ${signal ?? `status ${code}`}`);
    }
  };
  try {
    await ready;
    const [link, origin] = LINK.exec(seen);
    const [unsubscribe] = UNSUBSCRIBE.exec(seen);
    return { origin, link, unsubscribe, stop };
  } catch (error) {
    kill();
    throw error;
  }
}

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
