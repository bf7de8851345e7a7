// `npm run soak`: the built svc-super and its supervisor do all their work many times, and must be unchanged afterwards. Drives
// the load, measures before, during and after, writes RESULTS.md and the plot, exits with 1 if a figure has grown or a result
// is wrong. `--restarts N --lines N --probes N --calls N`, `--results FOLDER` (or `none`).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../test/helpers/free-port.ts';
import { Calls } from './calls.ts';
import { drawPlot } from './plot.ts';
import { type Moment, type Outcome, renderOutcome, renderResults } from './report.ts';
import { type Counts, countsOf, describeDescriptors, type Figures, figuresOf, readMetrics, wakesOf } from './sample.ts';
import { type Amounts, configuration, KINDS, PRINTERS, quotaOf, WHOLE } from './scenario.ts';
import { type Listener, Supervisor, until } from './supervisor.ts';
import { BOUNDS, judge, type Quiet } from './verdict.ts';

/** Share of all work before the first measurement: caches and heaps are full by then. */
const WARM_UP = 0.1;
/** A short soak needs a larger share. */
const LEAST_WARM_UP: Amounts = { restarts: 600, lines: 100_000, probes: 2_000, calls: 600 };
const TICK = 250;
const STUCK = 30_000;
/** Time limit for memory to decrease at the end, milliseconds. */
const SETTLED = 90_000;
/** Samples at rest, of which the minimum counts. */
const LOOKS = 10;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

class Soak {
  readonly moments: Moment[] = [];
  readonly #from = performance.now();
  readonly #supervisor: Supervisor;
  readonly #calls: Calls;
  readonly #control: number;
  readonly #amounts: Amounts;

  constructor(supervisor: Supervisor, control: number, amounts: Amounts) {
    this.#supervisor = supervisor;
    this.#control = control;
    this.#amounts = amounts;
    this.#calls = new Calls(supervisor, control);
  }

  get wrongCalls(): readonly string[] {
    return this.#calls.wrong;
  }

  async counts(): Promise<Counts> {
    return countsOf(await readMetrics(this.#control));
  }

  /**
   * All load pauses for a while; then the minimum of some samples is taken. If it exceeds the limit the measurement is repeated:
   * memory that the collector has yet to release decreases in the end, and a leak does not.
   */
  async quiet(name: string, seconds: number, isFine: (figures: Figures) => boolean = () => true): Promise<Quiet> {
    await this.#supervisor.order('/v1/stop', { services: ['loop-*', 'probe-*'] });
    await until('the loops to stop', async () => {
      const { text } = await this.#supervisor.ask('/v1/status');
      const { services } = JSON.parse(text) as { services: { name: string; state: string }[] };
      return services.every(({ name, state }) => !/^(?:loop|probe)-/.test(name) || state === 'stopped');
    });
    await until('zombies to be reaped', () => this.#supervisor.others().every(({ state }) => state !== 'Z'));
    // The collector works when nothing has happened for a while; a request would interrupt that.
    await Bun.sleep(seconds * 1_000);
    const metrics = await readMetrics(this.#control);
    for (let waited = 0; waited < SETTLED && !isFine(figuresOf(this.#supervisor, metrics)); waited += 1_000) {
      await Bun.sleep(1_000);
    }
    const looks: Figures[] = [];
    const [from, wakes] = [performance.now(), wakesOf(this.#supervisor)];
    for (let count = 0; count < LOOKS; count += 1) {
      await Bun.sleep(200);
      const metrics = await readMetrics(this.#control);
      const figures = figuresOf(this.#supervisor, metrics);
      this.#look(countsOf(metrics), figures);
      looks.push(figures);
    }
    const least = (read: (figures: Figures) => number) => Math.min(...looks.map(read));
    const quiet: Quiet = {
      anon: least(({ anon }) => anon),
      resident: least(({ resident }) => resident),
      descriptors: least(({ descriptors }) => descriptors),
      threads: least(({ threads }) => threads),
      timers: least(({ timers }) => timers),
      // The samples wake it too, equally often each time.
      wakes: (wakesOf(this.#supervisor) - wakes) / ((performance.now() - from) / 1_000),
    };
    const kinds = [...describeDescriptors(this.#supervisor)].map(([kind, count]) => `${count} ${kind}`);
    say(`${name}: ${JSON.stringify(quiet)}\n  descriptors: ${kinds.sort().join(', ')}`);
    return quiet;
  }

  /** Works until this share of all amounts is done. */
  async load(part: Amounts): Promise<void> {
    const before = await this.counts();
    await this.#supervisor.order('/v1/start', { services: ['loop-*', 'probe-*'] });
    const stopped = new Set<string>();
    let calling = Promise.resolve();
    let [last, moved] = ['', performance.now()];
    for (;;) {
      await Bun.sleep(TICK);
      if (this.#supervisor.isOver) throw new Error('the supervisor has ended');
      const metrics = await readMetrics(this.#control);
      const counts = countsOf(metrics);
      this.#look(counts, figuresOf(this.#supervisor, metrics));
      const now = JSON.stringify([counts, this.#calls.done]);
      if (now !== last) [last, moved] = [now, performance.now()];
      if (performance.now() - moved > STUCK) throw new Error(`there was no progress for ${STUCK / 1_000} s: ${now}`);
      const reached = {
        restarts: counts.restarts >= part.restarts,
        probes: counts.probes >= part.probes,
        lines: counts.lines >= part.lines,
        calls: this.#calls.done >= part.calls,
      };
      for (const [kind, services] of [
        ['restarts', 'loop-*'],
        ['probes', 'probe-*'],
      ] as const) {
        if (!reached[kind] || stopped.has(kind)) continue;
        stopped.add(kind);
        await this.#supervisor.order('/v1/stop', { services: [services] });
      }
      if (KINDS.every((kind) => reached[kind])) break;
      // Work that is too fast is spread over the time that the slowest kind takes.
      const of = (done: number, from: number, all: number) => (all <= from ? 1 : (done - from) / (all - from));
      const share = Math.min(
        1,
        of(counts.restarts, before.restarts, part.restarts),
        of(counts.probes, before.probes, part.probes),
      );
      this.#release(Math.ceil(before.lines + share * 1.02 * Math.max(0, part.lines - before.lines)));
      const wanted = Math.min(part.calls, Math.ceil(share * 1.02 * part.calls));
      calling = calling.then(() => this.#calls.upTo(wanted));
    }
    await calling;
  }

  #release(lines: number): void {
    for (const [name, part] of Object.entries(PRINTERS)) {
      writeFileSync(quotaOf(this.#supervisor.folder, name), `${Math.ceil(lines * part)}\n`);
    }
  }

  #look(counts: Counts, figures: Figures): void {
    const seconds = (performance.now() - this.#from) / 1_000;
    const { restarts, lines, probes } = this.#amounts;
    const share = (done: number, all: number) => (all === 0 ? 1 : done / all);
    const done = Math.min(share(counts.restarts, restarts), share(counts.lines, lines), share(counts.probes, probes));
    this.moments.push({ seconds, done, ...figures, ...counts, calls: this.#calls.done });
    if (this.moments.length % Math.round(10_000 / TICK) === 1) {
      const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
      say(
        `${seconds.toFixed(0)} s: ${counts.restarts} restarts, ${counts.lines} lines, ${counts.probes} probes, ${this.#calls.done} calls; ` +
          `own ${mib(figures.anon)}, resident ${mib(figures.resident)}, ${figures.descriptors} descriptors, ${figures.threads} threads, ${figures.timers} timers`,
      );
    }
  }
}

/** Newlines in a chunk. */
function newlines(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count += 1;
  return count;
}

/** The responses to probes: always success, or alternating. */
function serveProbes() {
  let asked = 0;
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) => {
      asked += url.endsWith('/flaps') ? 1 : 0;
      return new Response('good', { status: url.endsWith('/flaps') && asked % 2 === 0 ? 503 : 200 });
    },
  });
}

/** Counts the services' lines in the output, and keeps the output around each report of a bug. */
class Output implements Listener {
  printed = 0;
  /** The latest output on standard error. */
  words = '';
  readonly bugs: string[] = [];
  readonly stdout = (chunk: Uint8Array): void => {
    this.printed += newlines(chunk);
  };
  readonly stderr = (chunk: Uint8Array): void => {
    const text = Buffer.from(chunk).toString('latin1');
    this.words = (this.words + text).slice(-4_000);
    if (this.bugs.length < 10 && /bug in svc-super/.test(text)) this.bugs.push(this.words);
  };
}

interface End {
  readonly wrongCalls: readonly string[];
  /** Number of lines that services have printed, by their own counts. */
  readonly lines: number;
  readonly code: number;
  /** Processes that were left running. */
  readonly left: number;
}

function faultsOf({ bugs, printed }: Output, { wrongCalls, lines, code, left }: End): string[] {
  const examples = [...new Set(wrongCalls)].slice(0, 5).join('; ');
  return [
    ...bugs.map((text) => `it reported a bug:\n${text}`),
    ...(wrongCalls.length === 0 ? [] : [`${wrongCalls.length} calls had wrong responses: ${examples}`]),
    ...(printed === lines ? [] : [`${lines} lines were printed, ${printed} came out`]),
    ...(code === 0 ? [] : [`it ended with ${code} after the request to stop`]),
    ...(left === 0 ? [] : [`${left} processes were left`]),
  ];
}

async function soak(amounts: Amounts): Promise<Outcome> {
  const folder = Supervisor.folder();
  const server = serveProbes();
  const [port, control] = [server.port ?? 0, await freePort()];
  const output = new Output();
  const from = performance.now();
  const supervisor = await Supervisor.begin(folder, configuration({ folder, port, control }), output);
  try {
    const run = new Soak(supervisor, control, amounts);
    const isLong = amounts.restarts >= 20_000;
    const rest = isLong ? 60 : 10;
    const before = await run.quiet('before', 1);
    const first = Object.fromEntries(
      KINDS.map((kind) => [kind, Math.min(amounts[kind], Math.max(LEAST_WARM_UP[kind], amounts[kind] * WARM_UP))]),
    ) as unknown as Amounts;
    await run.load(first);
    const warm = await run.quiet('warm', rest);
    await run.load(amounts);
    const after = await run.quiet('after', rest, ({ anon, resident }) => {
      return anon - warm.anon <= BOUNDS.anon.most && resident - warm.resident <= BOUNDS.resident.most;
    });
    const counts = await run.counts();
    const code = await supervisor.stop();
    const left = supervisor.others().length;
    const faults = faultsOf(output, { wrongCalls: run.wrongCalls, lines: counts.lines, code, left });
    const calls = amounts.calls;
    const seconds = (performance.now() - from) / 1_000;
    const judgement = judge({ before, warm, after }, faults);
    return {
      amounts,
      done: { ...counts, calls },
      seconds,
      quiet: { before, warm, after },
      judgement,
      moments: run.moments,
    };
  } catch (error) {
    say(output.words);
    throw error;
  } finally {
    await supervisor.close();
    server.stop(true);
  }
}

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(KINDS.map((kind) => [kind, { type: 'string' as const }])),
    results: { type: 'string', default: import.meta.dir },
  },
});
const given = values as Readonly<Record<string, string | undefined>>;
const amounts = Object.fromEntries(
  KINDS.map((kind) => [kind, Number(given[kind] ?? WHOLE[kind])]),
) as unknown as Amounts;
if (KINDS.some((kind) => !Number.isInteger(amounts[kind]) || amounts[kind] < 0)) {
  say('amounts are whole numbers: --restarts N --lines N --probes N --calls N');
  process.exit(64);
}
const outcome = await soak(amounts);
say(renderOutcome(outcome));
if (given.results !== undefined && given.results !== 'none') {
  mkdirSync(given.results, { recursive: true });
  writeFileSync(join(given.results, 'results.svg'), drawPlot(outcome.moments));
  writeFileSync(join(given.results, 'RESULTS.md'), renderResults(outcome));
}
const { passed, failed } = outcome.judgement;
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
