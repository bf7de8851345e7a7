// `npm run test:gpu`: svc-super on a machine with a real NVIDIA GPU. A killed main process whose child holds 20 GiB in a
// session of its own, twenty times; who sees which device; what a stop leaves; memory that somebody else has taken; a drain;
// a driver that is lost. Prints a table of figures; ends with 1 when one check fails, with 69 where there is no GPU to try
// it on.
//
//   npm run test:gpu [-- --restarts N] [-- --only found,placement,restarts,stop,outsider,neighbour,drain,lost-before,lost-while]
//   ... -- --stand-in   tries the test itself, without a GPU: nothing that it prints then is a figure
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readInventory } from '../../src/linux/gpus.ts';
import { freePort } from '../helpers/free-port.ts';
import { type Options, type StandIn, Supervised } from './supervised.ts';

const HOLDER = join(import.meta.dir, 'holder.py');
const NO_GPU = 69;
const WANTED_MIB = 20 * 1024;
/** Contexts of others come and go, and a driver keeps some memory of its own. */
const SLACK_MIB = 512;

interface Row {
  readonly check: string;
  readonly ok: boolean;
  readonly figure: string;
}

const { values } = parseArgs({
  options: {
    restarts: { type: 'string', default: '20' },
    only: { type: 'string', default: 'found,placement,restarts,stop,outsider,neighbour,drain,lost-before,lost-while' },
    'stand-in': { type: 'boolean', default: false },
  },
});
const RESTARTS = Number(values.restarts);
const standIn: StandIn | null = values['stand-in'] ? { ledger: mkdtempSync(join(tmpdir(), 'svc-gpu-ledger-')) } : null;
const python = Bun.which('python3') ?? 'python3';
const say = (text: string) => void process.stdout.write(`${text}\n`);

/** Runs one configuration, and clears up whatever comes of it. */
async function during<T>(
  services: object,
  use: (run: Supervised) => Promise<T>,
  options: Partial<Options> = {},
): Promise<T> {
  const run = new Supervised(services, { standIn, ...options });
  try {
    return await use(run);
  } finally {
    await run.close();
  }
}

const holder = (...args: readonly (string | number)[]) => [python, HOLDER, ...args.map(String)];

/** What is missing for a test with a real GPU; null: nothing. */
function whyNot(): string | null {
  if (Bun.which('python3') === null) return 'there is no python3, which the program with the GPU is written in';
  if (standIn !== null) return null;
  const { vendor, driver, forbidden } = readInventory();
  if (vendor === 'amd') return 'the GPUs here are of AMD: this test is for NVIDIA';
  if (vendor === null) {
    const loaded = driver === 'nvidia' ? 'its driver is loaded, but ' : '';
    const closed = forbidden > 0 ? `, of which ${forbidden} may not be opened` : '';
    return `there is no NVIDIA GPU here: ${loaded}no /dev/nvidia0${closed}; in a container it takes --gpus all`;
  }
  return Bun.which('nvidia-smi') === null ? 'there is no nvidia-smi' : null;
}

function memory(): { readonly used: number; readonly total: number } {
  if (standIn !== null) return { used: 1, total: 81_920 };
  const query = ['nvidia-smi', '-i', '0', '--query-gpu=memory.used,memory.total', '--format=csv,noheader,nounits'];
  const { stdout, exitCode } = Bun.spawnSync(query);
  const [used = Number.NaN, total = Number.NaN] = stdout.toString().split(',').map(Number);
  if (exitCode !== 0 || !Number.isFinite(used)) throw new Error(`nvidia-smi: ${stdout.toString()}`);
  return { used, total };
}

/** What is in use when that changes no more, MiB: five readings in a row, some tenths of a second apart. */
async function settled(): Promise<number> {
  const readings: number[] = [];
  for (;;) {
    readings.push(memory().used);
    const last = readings.slice(-5);
    if (last.length === 5 && new Set(last).size === 1) return last[0] ?? Number.NaN;
    await Bun.sleep(200);
  }
}

/** How much the holder takes: 20 GiB, or less of a smaller GPU. */
function amount(): number {
  const { used, total } = memory();
  return Math.min(WANTED_MIB, Math.floor((total - used) * 0.8));
}

const percentile = (sorted: readonly number[], part: number) =>
  sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;

const CHECKS: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  /** What the pre-flight says of this machine. */
  found: () =>
    during(
      { a: { command: ['sleep', '1'], gpus: 'all' } },
      async (run) => {
        const code = await run.end();
        const told = run.lines.filter((line) => /GPU/.test(line)).map((line) => line.replace(/^\S+\s+(?:a\s+)?/, ''));
        return [{ check: 'check --runtime finds it', ok: code === 0 && told.length >= 2, figure: told.join('; ') }];
      },
      { args: ['check', '--runtime'] },
    ),

  placement: async () => {
    const count = holder('count');
    const refused = await during(
      { a: { command: count, gpus: 'all' }, b: { command: count, gpus: 1 } },
      async (run) => {
        const code = await run.end();
        return { code, says: run.lines.find((line) => line.includes('error:'))?.replace(/^.*error: /, '') ?? '' };
      },
    );
    const told = async (gpus: unknown) =>
      during({ a: { command: count, type: 'task', gpus } }, async (run) => {
        const [, devices = '', value = ''] = await run.line(/devices: (\d+), told '(.*)'/);
        return { devices: Number(devices), value };
      });
    const one = await told(1);
    const none = await told(0);
    const shared = await during(
      { a: { command: count, gpus: { share: 1 } }, b: { command: count, gpus: { share: 1 } } },
      async (run) => [await run.line(/devices: (\d+), told '(.*)'/)],
    );
    return [
      {
        check: 'a second service is refused',
        ok: refused.code === 78 && refused.says.includes('`a` has GPU'),
        figure: refused.says,
      },
      {
        check: '`gpus: 1` sees one',
        ok: one.devices === 1 && one.value !== '',
        figure: `CUDA_VISIBLE_DEVICES=${one.value}: ${one.devices}`,
      },
      {
        check: '`gpus: 0` sees none',
        ok: none.devices === 0 && none.value === '',
        figure: `CUDA_VISIBLE_DEVICES=: ${none.devices}`,
      },
      { check: '`share` lets both in', ok: shared[0]?.[1] === '1', figure: `CUDA_VISIBLE_DEVICES=${shared[0]?.[2]}` },
    ];
  },

  restarts: async () => {
    const mib = amount();
    const before = await settled();
    const restart = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };
    const services = { engine: { command: holder('serve', mib), gpus: 1, restart, success_codes: [] } };
    return during(services, async (run) => {
      const times: number[] = [];
      let back = 0;
      let most = 0;
      await run.line(/used at start: (\d+)/);
      let [, how = ''] = await run.line(/holding \d+ MiB by (\w+)/);
      for (let count = 0; count < RESTARTS; count += 1) {
        const main = await run.pid('engine');
        const from = performance.now();
        process.kill(main, 'SIGKILL');
        const [, used = ''] = await run.line(/used at start: (\d+)/);
        times.push(performance.now() - from);
        most = Math.max(most, Number(used));
        if (Number(used) <= before + SLACK_MIB) back += 1;
        [, how = ''] = await run.line(/holding \d+ MiB by (\w+)/);
      }
      times.sort((a, b) => a - b);
      const took = `${percentile(times, 0.5).toFixed(0)} ms from kill to the next start (median), ${times.at(-1)?.toFixed(0)} ms at most`;
      return [
        {
          check: `memory is back after SIGKILL, ${mib} MiB by ${how}`,
          ok: back === RESTARTS,
          figure: `${back} of ${RESTARTS}; at most ${most} MiB in use (${before} before)`,
        },
        { check: 'a restart takes', ok: true, figure: took },
      ];
    });
  },

  /**
   * What the container's end leaves on the device. The driver takes memory down after its process is gone: how long that
   * takes is what a run that is started at once would have to live with.
   */
  stop: async () => {
    const before = await settled();
    const share = { gpus: { share: 1 }, command: holder('serve', 4_096) };
    return during({ a: share, b: share }, async (run) => {
      await run.line(/holding/);
      await run.line(/holding/);
      const from = performance.now();
      run.kill('SIGTERM');
      const code = await run.end();
      const ended = performance.now();
      const { used } = memory();
      const after = await settled();
      const figure = `code ${code} after ${(ended - from).toFixed(0)} ms, ${used} MiB then in use, ${after} MiB at last (${before} before)`;
      return [{ check: 'SIGTERM leaves nothing on it', ok: code === 0 && after <= before + SLACK_MIB, figure }];
    });
  },

  /** Memory that a process outside of all services takes meanwhile: the next run is refused, and told who has it. */
  outsider: async () => {
    const gpus = { count: 1, free_timeout: '6s' };
    const restart = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };
    const engine = { command: holder('serve', 4_096), gpus, restart };
    return during({ engine }, async (run) => {
      await run.line(/holding/);
      const outsider = run.beside(holder('take', 4_096));
      try {
        await outsider.taken;
        process.kill(await run.pid('engine'), 'SIGKILL');
        const [line] = await run.line(/could not be started: .*in use.*/);
        const ok = line.includes(`(pid ${outsider.pid})`);
        return [{ check: 'who else holds the memory is named', ok, figure: line }];
      } finally {
        outsider.end();
      }
    });
  },

  /** Memory that a service without `gpus` takes: nobody will give it back, so the next run is not held up by it. */
  neighbour: () => {
    const restart = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };
    const services = {
      engine: { command: holder('serve', 4_096), gpus: 1, restart, ready: { log: 'holding' } },
      neighbour: { command: holder('take', 4_096), depends_on: { engine: 'ready' } },
    };
    return during(services, async (run) => {
      await run.line(/neighbour +\| (?:torch|libcuda|nothing)/);
      process.kill(await run.pid('engine'), 'SIGKILL');
      const [line] = await run.line(/is started though .*/);
      await run.line(/holding/);
      return [{ check: 'a neighbour’s memory is no reason not to start', ok: true, figure: line }];
    });
  },

  drain: async () => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'svc-gpu-drain-'));
    const busy = {
      wait_for: { http: { port, path: '/metrics', matches: 'num_requests_running(?:\\{[^}]*\\})? 0(?:\\.0)?\\b' } },
    };
    const services = {
      vllm: {
        command: holder('drain', port, folder),
        port,
        gpus: 1,
        hooks: { before_stop: busy },
        ready: { http: '/metrics' },
      },
      // It keeps the supervisor when the other has stopped.
      stays: { command: ['sleep', 'infinity'] },
    };
    try {
      return await during(services, async (run) => {
        // Only what was ready is waited for.
        await run.line(/vllm ready after/);
        const from = performance.now();
        const stopped = run.command('stop', 'vllm', '--wait');
        await Bun.sleep(1_000);
        const early = run.lines.some((line) => line.includes('asked to stop while'));
        writeFileSync(join(folder, 'idle'), '');
        const [, state = ''] = await run.line(/asked to stop while (\w+)/);
        const after = performance.now() - from - 1_000;
        await stopped;
        const figure = `stop signal ${after.toFixed(0)} ms after the last request`;
        return [{ check: 'a stop waits until it is idle', ok: !early && state === 'idle', figure }];
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },

  'lost-before': () =>
    during(
      { a: { command: ['sleep', '1'], gpus: 1 } },
      async (run) => {
        const from = performance.now();
        const code = await run.end();
        const figure = `code ${code} after ${(performance.now() - from).toFixed(0)} ms`;
        return [{ check: 'a lost driver refuses the start', ok: code === 75, figure }];
      },
      { shadow: lost('true') },
    ),

  'lost-while': async () => {
    const flag = join(mkdtempSync(join(tmpdir(), 'svc-gpu-lost-')), 'lost');
    const restart = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };
    const services = { engine: { command: holder('serve', 256), gpus: 1, restart } };
    try {
      return await during(
        services,
        async (run) => {
          await run.line(/holding/);
          const main = await run.pid('engine');
          writeFileSync(flag, '');
          process.kill(main, 'SIGKILL');
          const code = await run.end();
          const said = run.lines.find((line) => line.includes('Failed to initialize NVML')) ?? 'nothing of NVML';
          return [
            { check: 'a lost driver ends the container', ok: code === 75, figure: `code ${code}; ${said.trim()}` },
          ];
        },
        { shadow: lost(`[ -e '${flag}' ]`) },
      );
    } finally {
      rmSync(join(flag, '..'), { recursive: true, force: true });
    }
  },
};

/** An nvidia-smi that says what a lost driver says as soon as `condition` holds. */
function lost(condition: string): string {
  const real =
    standIn === null
      ? `exec ${Bun.which('nvidia-smi')} "$@"`
      : 'case "$1" in *index*) echo "0, GPU-0, 1, 81920" ;; *) echo 1 ;; esac';
  return `#!/bin/sh\nif ${condition}; then echo "Failed to initialize NVML: Unknown Error"; exit 255; fi\n${real}\n`;
}

async function main(): Promise<number> {
  const missing = whyNot();
  if (missing !== null) {
    process.stderr.write(`test:gpu cannot run here: ${missing}\n`);
    return NO_GPU;
  }
  const names = values.only.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(CHECKS, name));
  if (unknown.length > 0) {
    process.stderr.write(`there is no check ${unknown.join(', ')}; there are ${Object.keys(CHECKS).join(', ')}\n`);
    return 64;
  }
  if (standIn !== null) say('WITHOUT a GPU: a stand-in holds nothing, and no figure below means anything');
  const rows: Row[] = [];
  for (const name of names) {
    try {
      rows.push(...((await CHECKS[name]?.()) ?? []));
    } catch (error) {
      rows.push({ check: name, ok: false, figure: error instanceof Error ? error.message : String(error) });
    }
  }
  const width = Math.max(...rows.map(({ check }) => check.length));
  for (const { check, ok, figure } of rows) say(`${ok ? 'ok    ' : 'FAILED'}  ${check.padEnd(width)}  ${figure}`);
  const failed = rows.filter(({ ok }) => !ok).length;
  say(`${rows.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} finally {
  if (standIn !== null) rmSync(standIn.ledger, { recursive: true, force: true });
}
