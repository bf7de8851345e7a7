// The dashboard in a real Chromium: the token, services and their order, actions by mouse and by keyboard, the page of a service,
// events, logs, dependencies, the end of the supervisor, and its looks from a phone to a wide screen. PICTURES names a folder
// for screenshots.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { chromium, Page } from '../helpers/chromium.ts';
import { devices } from '../helpers/gpus.ts';
import { freePort, played, type Run, type UpOptions, up, useRig } from '../helpers/rig.ts';

useRig();

const TOKEN = 'the-right-token';
const DESKTOP = { width: 1280, height: 900, scheme: 'light' } as const;
const PHONE = { width: 390, height: 844, touch: true };
const WIDE = { width: 2560, height: 1440 };
const LOOKS = {
  'phone-light': { ...PHONE, scheme: 'light' },
  'phone-dark': { ...PHONE, scheme: 'dark' },
  'desktop-light': DESKTOP,
  'desktop-dark': { ...DESKTOP, scheme: 'dark' },
  'wide-light': { ...WIDE, scheme: 'light' },
  'wide-dark': { ...WIDE, scheme: 'dark' },
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

/** `db` of the group data, its dependent `api`, and a task; with the token unless it is null. */
async function stack(token: string | null = TOKEN, more: object = {}, options: UpOptions = {}): Promise<Stack> {
  const port = await freePort();
  const config = {
    name: 'chat stack',
    control: { http: { listen: port, ...(token !== null && { token }) } },
    services: {
      db: played({ group: 'data', env: { PGPASSWORD: 'hunter2', PGDATA: '/data' } }),
      api: played({ depends_on: ['db'], restart: 'on-failure', essential: false }),
      migrate: played({ type: 'task', depends_on: ['db'], essential: false }),
      ...more,
    },
  };
  const run = await up(config, options);
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

const row = (name: string) => `document.querySelector('#services tr[data-service="${name}"]')`;
const seesState = (name: string, state: string) =>
  page.sees(`${name} ${state}`, `${row(name)}?.querySelector('.pill').textContent === '${state}'`);
const texts = (selector: string) => `[...document.querySelectorAll('${selector}')].map((one) => one.textContent)`;
const view = (address: string) => page.value(`location.hash = ${JSON.stringify(address)}; 1`);

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
  await seesState('api', 'running');
  expect(
    await page.value<string[]>('[JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]'),
  ).toEqual([JSON.stringify({ 'svc-super-token': TOKEN }), '{}', '']);
  await page.click('#leave');
  await page.sees('the question again', "document.querySelector('#login')?.open && sessionStorage.length === 0");
  // The page reports the refusals only, and no violation of its policy; every request goes to its own server.
  expect(page.complaints.filter((text) => !text.includes('401'))).toEqual([]);
  const others =
    "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => !name.startsWith(location.origin) && !name.startsWith('data:'))";
  expect(await page.value(others)).toEqual([]);
});

inChromium('shows states and reasons, what failed first, and never as a success', async () => {
  await using at = await stack(null, { report: played({ type: 'task', essential: false }) });
  const [migrate, report] = [await at.run.puppet('migrate'), await at.run.puppet('report')];
  await at.run.puppet('api');
  page.complaints.length = 0;
  await page.goto(at.url);
  await seesState('db', 'running');
  await seesState('migrate', 'running');
  expect(await page.value('document.querySelector("#title").textContent')).toBe('chat stack');
  expect(await page.value('document.querySelector("#health").textContent')).toBe('healthy');
  await report.exit(0);
  await migrate.exit(3);
  await seesState('migrate', 'failed');
  await page.sees('why', `/code 3/.test(${row('migrate')}.querySelector('.why').textContent)`);
  await page.sees('it first', `${texts('#services .name a')}[0] === 'migrate'`);
  expect(await page.value(texts('.tile.bad dd'))).toEqual(['1']);
  expect(await page.value('document.querySelector("#count").textContent')).toBe('3 of 4 ready');
  await page.sees('memory', `/MiB|KiB/.test(${row('db')}.cells[5].textContent)`);
  await view('#/dependencies');
  await page.sees('the graph', "document.querySelectorAll('#graph .node').length === 4");
  expect(await page.value(texts('#graph-words li'))).toEqual([
    'api waits for db (started)',
    'migrate waits for db (started)',
  ]);
  await page.sees('the start-up', "document.querySelectorAll('#timeline .bar.bad').length === 1");
  expect(await page.value('document.querySelector("#timeline").getAttribute("aria-label")')).toMatch(
    /migrate: failed, /,
  );
  expect(page.complaints).toEqual([]);
});

inChromium('without a token its buttons are off, it says what to set, and no value is shown', async () => {
  await using at = await stack(null);
  await at.run.puppet('api');
  await page.goto(at.url);
  await seesState('db', 'running');
  await page.sees('the reason', "/control\\.http\\.token/.test(document.querySelector('#read-only')?.textContent)");
  const buttons = '[...document.querySelectorAll("#services button")]';
  expect(await page.value(`${buttons}.length > 0 && ${buttons}.every((one) => one.ariaDisabled === 'true')`)).toBe(
    true,
  );
  expect(await page.value(`${buttons}[0].title`)).toBe('Needs a token: set control.http.token in the configuration');
  await view('#/service/db');
  await page.sees('variables', "document.querySelectorAll('#env dd').length > 3");
  expect(await page.value(`${texts('#env dd')}.every((text) => text === 'hidden')`)).toBe(true);
});

inChromium('restarts what is clicked, after a question that names the dependents; and all of a group', async () => {
  await using at = await stack();
  const first = await at.run.puppet('api', 1);
  await at.run.puppet('db');
  await enter(at.url);
  await seesState('api', 'running');
  await page.click('button[aria-label="Restart db"]');
  await page.sees('the question', "document.querySelector('#sure').open");
  const effect =
    'db stops and starts again. api and migrate need it and keep running: requests may fail until the restart is over.';
  await page.sees('the effect', `${texts('#sure-why p')}.join(' ') === '${effect}'`);
  // Cancelling has no effect.
  await page.press('Escape');
  await page.sees('no question', "!document.querySelector('#sure').open");
  await page.click('button[aria-label="Restart api"]');
  await page.click('#sure-yes');
  const second = await at.run.puppet('api', 2);
  expect(second.pid).not.toBe(first.pid);
  await seesState('api', 'running');
  expect((await at.run.service('db')).run).toBe(1);
  await page.click('button[aria-label="Restart all group data"]');
  await page.click('#sure-yes');
  await at.run.puppet('db', 2);
  expect((await at.run.service('api')).run).toBe(2);
});

inChromium('stops and starts by keyboard alone, and a finished task has one button', async () => {
  await using at = await stack();
  const migrate = await at.run.puppet('migrate');
  await at.run.puppet('api', 1);
  await enter(at.url);
  await seesState('api', 'running');
  const focus = async (label: string) => {
    for (let count = 0; count < 60; count += 1) {
      if ((await page.value('document.activeElement.getAttribute("aria-label")')) === label) return;
      await page.press('Tab');
    }
    throw new Error(`the keyboard does not reach ${label}`);
  };
  await focus('Stop api');
  expect(await page.value('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  await page.press('Enter');
  await page.sees('the question', "document.querySelector('#sure').open");
  // The dependencies may be received later.
  const effect =
    'api stops, and stays stopped until it is started. No running service needs it. The container keeps running.';
  await page.sees('the effect', `${texts('#sure-why p')}.join(' ') === '${effect}'`);
  await page.press('Tab');
  await page.press('Enter');
  await seesState('api', 'stopped');
  // The button that had the focus has become the one to start.
  expect(await page.value('document.activeElement.getAttribute("aria-label")')).toBe('Start api');
  await page.press('Enter');
  await at.run.puppet('api', 2);
  await seesState('api', 'running');
  await migrate.exit(0);
  await seesState('migrate', 'completed');
  expect(await page.value(`[...${row('migrate')}.querySelectorAll('button')].map((one) => one.textContent)`)).toEqual([
    'Run again',
  ]);
});

inChromium('follows the logs, filtered, marks errors and not standard error, and saves them', async () => {
  await using at = await stack();
  const db = await at.run.puppet('db');
  await db.print('before anybody looked');
  await enter(at.url);
  const shown = texts('#logs p');
  await page.sees('the past', `${shown}.some((line) => line.includes('before anybody looked'))`);
  await db.print('<b>arrives</b> & stays text');
  await page.sees('the new line', `${shown}.some((line) => line.endsWith('<b>arrives</b> & stays text'))`);
  expect(await page.value('document.querySelectorAll("#logs p b").length')).toBe(0);
  await page.click('#filter');
  await page.type('/arr.ves/');
  await page.sees('that line alone', `${shown}.length === 1`);
  await db.print('ERROR: this does not');
  await db.print('this ARRIVES too');
  await page.sees('two lines', `${shown}.length === 2`);
  await page.value(
    'document.querySelector("#filter").value = ""; document.querySelector("#filter").dispatchEvent(new Event("input")); 1',
  );
  await page.sees('the error', `${texts('#logs .error .text')}.join() === 'ERROR: this does not'`);
  await page.value(
    '{ const make = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return make(blob); }; 1 }',
  );
  page.complaints.length = 0;
  await page.click('#download');
  await page.sees('the file', "window.saved?.includes(' db stdout <b>arrives</b> & stays text\\n')");
  expect(page.complaints).toEqual([]);
});

inChromium(
  'the page of a service: command, variables without secrets, GPU, probes, runs, history; and events',
  async () => {
    const gpu = {
      gpus: 1,
      ready: { exec: 'true' },
      restart: 'on-failure',
      essential: false,
      env: { HF_TOKEN: 'hf_1' },
    };
    // The first reading of the load fails, after which it must be requested again.
    const fails = 'case "$*" in *utilization*) [ -e "$0.asked" ] || { : > "$0.asked"; echo Busy; exit 255; } ;; esac';
    const smi = `#!/bin/sh\n${fails}\necho "0, GPU-8932f937, 1024, 4096, 97"\n`;
    const machine = { before: devices(1), files: { 'nvidia-smi': smi } };
    await using at = await stack(TOKEN, { vllm: played({ ...gpu, port: await freePort() }) }, machine);
    const vllm = await at.run.puppet('vllm', 1);
    await enter(at.url);
    await seesState('vllm', 'ready');
    await page.sees('the GPU', `/97 %.*1\\.0 GiB of 4\\.0 GiB/.test(document.querySelector('.gpu')?.textContent)`);
    await vllm.exit(137);
    await at.run.puppet('vllm', 2);
    await page.click('#services tr[data-service="vllm"] .name a');
    await page.sees(
      'both runs',
      `${texts('#runs tbody tr')}.length === 2 && ${texts('#runs tbody tr')}[0].includes('running')`,
    );
    expect(
      await page.value(`[...document.querySelectorAll('#runs tr:nth-child(2) td')].map((one) => one.textContent)`),
    ).toEqual(
      expect.arrayContaining(['1', 'failed', 'code 137', expect.stringMatching(/^exited with code 137 after /)]),
    );
    await page.sees('the probe', `/ready, exec.*true.*ok/.test(document.querySelector('#probes tbody').textContent)`);
    const facts = await page.value<string>('document.querySelector("#facts-card").textContent');
    expect(facts).toMatch(/perl/);
    expect(facts).toMatch(/0 \(NVIDIA GPU\)/);
    const variables = await page.value<string[]>(texts('#env div'));
    expect(variables).toEqual(expect.arrayContaining(['HF_TOKENhidden', 'CUDA_VISIBLE_DEVICES0']));
    expect(await page.value('document.body.textContent.includes("hf_1")')).toBe(false);
    await page.sees(
      'the history',
      "/^Memory: now .*iB/.test(document.querySelectorAll('.chart svg')[1]?.getAttribute('aria-label'))",
    );
    expect(await page.value('document.activeElement.textContent')).toBe('vllm');
    await view('#/events');
    await page.sees('all events', `${texts('#events-card .events li')}.length > 4`);
    await page.value(
      '{ const level = document.querySelector("#event-level"); level.value = "warn"; level.dispatchEvent(new Event("change")); 1 }',
    );
    await page.sees('warnings', `${texts('#events-card .events li')}.every((text) => /warning|error/.test(text))`);
    expect(await page.value<string[]>(texts('#events-card .events li'))).toContainEqual(
      expect.stringMatching(/vllm exited with code 137/),
    );
  },
);

inChromium('when the supervisor is gone, nothing is green, no button acts, and it says so', async () => {
  const at = await stack();
  try {
    await at.run.puppet('api');
    await enter(at.url);
    await seesState('api', 'running');
  } finally {
    await at[Symbol.asyncDispose]();
  }
  await page.sees('the message', "/does not respond/.test(document.querySelector('#lost')?.textContent)");
  expect(await page.value('document.querySelectorAll(".good").length')).toBe(0);
  expect(await page.value(`${row('api')}.querySelector('.pill').textContent`)).toBe('last known: running');
  const buttons = '[...document.querySelectorAll("#services button")]';
  expect(await page.value(`${buttons}.length > 0 && ${buttons}.every((one) => one.ariaDisabled === 'true')`)).toBe(
    true,
  );
  await page.click('button[aria-label="Stop api"]');
  expect(await page.value("document.querySelector('#sure').open")).toBe(false);
});

inChromium(
  'fits a phone, a desk and a wide screen, light and dark, and does not jump',
  async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [
        `step-${index}`,
        { command: ['sleep', '1000'], depends_on: [index === 0 ? 'api' : `step-${index - 1}`] },
      ]),
    );
    await using at = await stack(TOKEN, chain);
    const db = await at.run.puppet('db');
    for (const text of ['listening on 5432', 'ready to accept connections']) await db.print(text);
    await enter(at.url);
    await seesState('step-8', 'running');
    for (const [name, look] of Object.entries(LOOKS)) {
      await page.look(look);
      for (const address of ['#/dependencies', '#/service/db', '#/events', '#/']) {
        await view(address);
        await page.sees(address, "document.querySelectorAll('.card').length > 0");
        if (address === '#/dependencies') {
          // The whole graph is there: it scrolls within its box, and no node is outside of it.
          await page.sees('the graph', "document.querySelectorAll('#graph .node').length === 12");
          const outside = `(() => { const box = document.querySelector('#graph').getBoundingClientRect();
            return [...document.querySelectorAll('#graph .node')].filter((node) => { const own = node.getBoundingClientRect(); return own.right > box.right || own.bottom > box.bottom; }).length; })()`;
          expect(await page.value(outside)).toBe(0);
          expect(
            await page.value(
              "document.querySelector('#graph').getBoundingClientRect().width <= document.querySelector('.scroll').scrollWidth",
            ),
          ).toBe(true);
        }
        expect([name, address, await page.value('document.documentElement.scrollWidth <= innerWidth')]).toEqual([
          name,
          address,
          true,
        ]);
        if (process.env.PICTURES)
          await page.picture(join(process.env.PICTURES, `${name}${address.replaceAll(/[#/]+/g, '-')}.png`));
        // Every control has an accessible name.
        const nameless =
          '[...document.querySelectorAll("button, input, select, a")].filter((one) => one.checkVisibility() && !one.ariaHidden && !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim())).length';
        expect(await page.value<number>(nameless)).toBe(0);
      }
    }
    const heights =
      'JSON.stringify([...document.querySelectorAll("#services tr, section")].map((one) => one.offsetHeight))';
    const uptime = `${row('db')}.cells[2].textContent`;
    const [before, then] = [await page.value<string>(heights), await page.value<string>(uptime)];
    await page.sees('the next state', `${uptime} !== ${JSON.stringify(then)}`);
    expect(await page.value<string>(heights)).toBe(before);
    await page.look(DESKTOP);
  },
  60_000,
);
