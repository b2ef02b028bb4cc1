// The browser tests: one demo, one browser, stories told in order, since later ones look at what earlier ones did.

import { after, before } from 'node:test';
import { comeHome, setOut } from './harness/browser.js';

before(() => setOut({ recipients: 300 }));
after(comeHome);

await import('./stories/sign_in.js');
await import('./stories/marketing.js');
await import('./stories/control.js');
await import('./stories/journeys.js');
await import('./stories/delivery.js');
await import('./stories/came_back.js');
await import('./stories/recipients.js');
await import('./stories/shell.js');
await import('./stories/settings.js');
await import('./stories/by_hand.js');
await import('./stories/keyboard.js');
await import('./stories/pages.js');
