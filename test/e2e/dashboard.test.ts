// The dashboard in a real Chromium: typing the token, services and their logs, a restart by mouse and one by keyboard, both colour
// schemes, a phone. PICTURES names a folder for screenshots.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { chromium, Page } from '../helpers/chromium.ts';
import { freePort, played, type Run, up, useRig } from '../helpers/rig.ts';

useRig();

const TOKEN = 'the-right-token';
const DESKTOP = { width: 1280, height: 900, scheme: 'light' } as const;
const LOOKS = {
  'desktop-light': DESKTOP,
  'desktop-dark': { ...DESKTOP, scheme: 'dark' },
  'phone-light': { width: 390, height: 844, scheme: 'light', touch: true },
  'phone-dark': { width: 390, height: 844, scheme: 'dark', touch: true },
} as const;

let page: Page;
if (chromium !== null) {
  beforeAll(async () => {
    page = await Page.open();
    await page.look(DESKTOP);
  });
  afterAll(() => page[Symbol.asyncDispose]());
}
const inChromium = test.skipIf(chromium === null);

interface Stack extends AsyncDisposable {
  readonly run: Run;
  readonly url: string;
}

/** `db`, its dependent `api`, and a task; with the token unless `open`. */
async function stack(token: string | null = TOKEN): Promise<Stack> {
  const port = await freePort();
  const run = await up({
    name: 'chat stack',
    control: { http: { listen: port, ...(token !== null && { token }) } },
    services: {
      db: played({ group: 'data' }),
      api: played({ depends_on: ['db'], restart: 'on-failure' }),
      migrate: played({ type: 'task', depends_on: ['db'], essential: false }),
    },
  });
  await run.line(/the control API and the dashboard are at/);
  return { run, url: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
}

async function enter(url: string, token = TOKEN): Promise<void> {
  await page.goto(url);
  await page.sees('the question for the token', "document.querySelector('#login')?.open");
  await page.click('#token');
  await page.type(token);
  await page.press('Enter');
}

const row = (name: string) =>
  `[...document.querySelectorAll('#services tr')].find((one) => one.querySelector('b').textContent === '${name}')`;
const stateOf = (name: string) => `${row(name)}?.querySelector('.pill').textContent`;
const seesState = (name: string, state: string) => page.sees(`${name} ${state}`, `${stateOf(name)} === '${state}'`);

inChromium('asks for the token, takes the right one alone and forgets it when told', async () => {
  await using at = await stack();
  await Promise.all([at.run.puppet('db'), at.run.puppet('api')]);
  page.complaints.length = 0;
  await enter(at.url, 'a-wrong-one');
  await page.sees(
    'the refusal',
    "document.querySelector('#login')?.open && /wrong/.test(document.querySelector('#login-why').textContent)",
  );
  expect(await page.value('document.querySelectorAll("#services tr").length')).toBe(0);
  await page.click('#token');
  await page.type(TOKEN);
  await page.press('Enter');
  await seesState('api', 'ready');
  expect(
    await page.value<string[]>('[JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]'),
  ).toEqual([JSON.stringify({ 'svc-super-token': TOKEN }), '{}', '']);
  await page.click('#leave');
  await page.sees('the question again', "document.querySelector('#login')?.open && sessionStorage.length === 0");
  // The page reports the refusals only, and no violation of its policy.
  expect(page.complaints.filter((text) => !text.includes('401'))).toEqual([]);
});

inChromium('shows what there is: states and why not, needs, start-up, health', async () => {
  await using at = await stack(null);
  const migrate = await at.run.puppet('migrate');
  await at.run.puppet('api');
  page.complaints.length = 0;
  await page.goto(at.url);
  await seesState('db', 'ready');
  await seesState('migrate', 'running');
  expect(await page.value('document.querySelector("#title").textContent')).toBe('chat stack');
  expect(await page.value('document.querySelector("#count").textContent')).toBe('2 of 3 ready');
  await migrate.exit(3);
  await seesState('migrate', 'failed');
  await page.sees('why', `/code 3/.test(${row('migrate')}.querySelector('.why').textContent)`);
  await page.sees('the graph', "document.querySelectorAll('#graph .node').length === 3");
  expect(await page.value('[...document.querySelectorAll("#graph-words li")].map((one) => one.textContent)')).toEqual([
    'api waits for db to be started',
    'migrate waits for db to be started',
  ]);
  await page.sees('the start-up', "document.querySelectorAll('#timeline .bar').length === 3");
  await page.sees('memory', `/MiB|KiB/.test(${row('db')}.cells[5].textContent)`);
  expect(await page.value('document.querySelector("#health").textContent')).toBe('healthy');
  expect(page.complaints).toEqual([]);
});

inChromium('without a token its buttons are off, and it says what to set', async () => {
  await using at = await stack(null);
  await at.run.puppet('api');
  await page.goto(at.url);
  await seesState('db', 'ready');
  await page.sees(
    'the reason',
    "/control\\.http\\.token/.test(document.querySelector('#read-only:not([hidden])')?.textContent)",
  );
  const buttons = '[...document.querySelectorAll("#services button")]';
  expect(await page.value(`${buttons}.length > 0 && ${buttons}.every((one) => one.disabled)`)).toBe(true);
  expect(await page.value(`${buttons}[0].title`)).toBe('Needs a token: set control.http.token in the configuration');
});

inChromium('restarts what is clicked, after a question', async () => {
  await using at = await stack();
  const first = await at.run.puppet('api', 1);
  await at.run.puppet('db');
  await enter(at.url);
  await seesState('api', 'ready');
  await page.click('button[aria-label="restart api"]');
  await page.sees('the question', "document.querySelector('#sure').open");
  // Cancelling has no effect.
  await page.press('Escape');
  await page.sees('no question', "!document.querySelector('#sure').open");
  await page.click('button[aria-label="restart api"]');
  await page.click('#sure-yes');
  const second = await at.run.puppet('api', 2);
  expect(second.pid).not.toBe(first.pid);
  await seesState('api', 'ready');
  expect((await at.run.service('db')).run).toBe(1);
});

inChromium('stops and starts by keyboard alone', async () => {
  await using at = await stack();
  await at.run.puppet('migrate');
  await at.run.puppet('api', 1);
  await enter(at.url);
  await seesState('api', 'ready');
  const focus = async (label: string) => {
    for (let count = 0; count < 40; count += 1) {
      if ((await page.value('document.activeElement.getAttribute("aria-label")')) === label) return;
      await page.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${label}`);
  };
  await focus('stop api');
  await page.press('Enter');
  await page.sees('the question', "document.querySelector('#sure').open");
  expect(await page.value('document.querySelector("#sure-why").textContent')).toBe('Nothing else depends on it.');
  await page.press('Tab');
  await page.press('Enter');
  await seesState('api', 'stopped');
  await focus('start api');
  await page.press('Enter');
  await at.run.puppet('api', 2);
  await seesState('api', 'ready');
});

inChromium('follows the logs, filtered', async () => {
  await using at = await stack();
  const db = await at.run.puppet('db');
  await db.print('before anybody looked');
  await enter(at.url);
  const shown = '[...document.querySelectorAll("#logs p")].map((one) => one.textContent)';
  await page.sees('the past', `${shown}.some((line) => line.includes('before anybody looked'))`);
  await db.print('<b>arrives</b> & stays text');
  await page.sees('the new line', `${shown}.some((line) => line.endsWith('<b>arrives</b> & stays text'))`);
  expect(await page.value('document.querySelectorAll("#logs p b").length')).toBe(0);
  await page.click('#filter');
  await page.type('/arr.ves/');
  await page.sees('that line alone', `${shown}.length === 1`);
  await db.print('this does not');
  await db.print('this ARRIVES too');
  await page.sees('two lines', `${shown}.length === 2`);
});

inChromium(
  'fits a phone and a desk, light and dark, and does not jump',
  async () => {
    await using at = await stack();
    const db = await at.run.puppet('db');
    await at.run.puppet('api', 1);
    for (const text of ['listening on 5432', 'ready to accept connections']) await db.print(text);
    for (const [name, look] of Object.entries(LOOKS)) {
      await page.look(look);
      await enter(at.url);
      await seesState('api', 'ready');
      await page.sees('the drawings', "document.querySelectorAll('#timeline .bar, #graph .node').length === 6");
      expect(await page.value('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      const heights =
        'JSON.stringify([...document.querySelectorAll("#services tr, section")].map((one) => one.offsetHeight))';
      const before = await page.value<string>(heights);
      await Bun.sleep(2_500);
      expect(await page.value<string>(heights)).toBe(before);
      // Every control has an accessible name.
      const nameless =
        '[...document.querySelectorAll("button, input, select")].filter((one) => !one.ariaHidden && !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim())).length';
      expect(await page.value<number>(nameless)).toBeLessThanOrEqual(1);
      if (process.env.PICTURES) await page.picture(join(process.env.PICTURES, `${name}.png`));
      await page.value('sessionStorage.clear()');
    }
    await page.look(DESKTOP);
  },
  60_000,
);
