// Under load: hundreds of megabytes of lines, and thousands of orphans.
import type { Entrant } from '../stage.ts';
import { text } from '../stage.ts';
import { late, type Trial } from './trial.ts';

const SECONDS = 30;
const TICKS_PER_SECOND = 100;
/** Megabytes of the first run, which determines how many take some 0.8 s. */
const SAMPLE = 20;
const MOST = 500;

/** Contestant -> megabytes per run. */
const volumes = new Map<string, number>();

/** Processor seconds, including ended threads. */
function processorTime(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = text(`/proc/${pid}/stat`);
    const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(field[11] ?? 0) + Number(field[12] ?? 0)) / TICKS_PER_SECOND;
  }, 0);
}

const LINE = 160;
/** The last lines may stay in a contestant's buffer while nothing follows. */
const HELD = 800;

const throughput: Trial = {
  name: 'logs',
  rows: [
    { id: 'throughput', title: 'output through the supervisor, labelled', unit: 'MB/s', better: 'more' },
    { id: 'cpu', title: 'its processor time for that', unit: 's/GB', better: 'less' },
  ],
  needs: ['output'],
  runs: { full: 8, quick: 3 },
  pace: 'turn by turn',
  async turn(entrant: Entrant, { stage }) {
    const { name } = entrant.contestant;
    const known = volumes.get(name);
    const megabytes = known ?? SAMPLE;
    const lines = Math.floor((megabytes * 1e6) / (LINE * 400)) * 400;
    await using up = stage(
      entrant,
      (mark) => ({
        services: [{ name: 'model', argv: mark('model', 'lines', megabytes) }],
        whenOneEnds: 'restart',
        labels: true,
      }),
      lines - HELD,
    );
    if ((await up.allStarted(1, SECONDS * 1_000)) === null) return { throughput: 'did not start' };
    await Bun.sleep(200);
    const before = processorTime(up.supervisors());
    const over = () => up.find('drained', 'stage') ?? (up.find('written') && up.findLast('silent'));
    const drained = await up.until(over, SECONDS * 1_000);
    const used = processorTime(up.supervisors()) - before;
    const flood = up.find('flood');
    if (drained === null || flood === undefined) return { throughput: late(SECONDS), cpu: late(SECONDS) };
    if (drained.what === 'silent') {
      const lost = `loses ${Math.round(100 * (1 - drained.value / lines))} % of the lines`;
      return { throughput: lost, cpu: lost };
    }
    const rate = ((lines - HELD) * LINE) / 1e6 / ((drained.at - flood.at) / 1_000);
    if (known === undefined) {
      volumes.set(name, Math.min(MOST, Math.max(SAMPLE, Math.round(rate * 0.8))));
      return {};
    }
    return { throughput: rate, cpu: used / (megabytes / 1_000) };
  },
};

const ORPHANS = 2_000;
/** After this time a contestant is judged by its progress, seconds. */
const PATIENCE = 8;

const orphans: Trial = {
  name: 'orphans',
  rows: [{ id: 'orphans', title: 'orphans reaped, of 2,000 that end at once', unit: '/s', better: 'more' }],
  needs: [],
  runs: { full: 10, quick: 3 },
  pace: 'turn by turn',
  async turn(entrant, { stage }) {
    await using up = stage(entrant, (mark) => ({
      services: [{ name: 'storm', argv: mark('storm', 'storm', ORPHANS) }],
      whenOneEnds: 'end',
      labels: false,
    }));
    const released = await up.until(() => up.find('released'), SECONDS * 1_000);
    if (released === null) return { orphans: 'did not start' };
    const reaped = await up.until(() => up.find('reaped'), PATIENCE * 1_000);
    if (reaped !== null) return { orphans: ORPHANS / ((reaped.at - released.at) / 1_000) };
    const done = ORPHANS - up.zombies();
    return { orphans: done < ORPHANS / 100 ? 'does not reap' : done / PATIENCE };
  },
};

export const LOAD: readonly Trial[] = [throughput, orphans];
