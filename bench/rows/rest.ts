// The cost of idling: memory and wake-ups of all processes, and bytes on disk.
import { readdirSync } from 'node:fs';
import { type Stage, text } from '../stage.ts';
import type { Trial } from './trial.ts';

const MIB = 1_048_576;

/** KiB of a field of /proc/PID/status, summed over all processes. */
const sum = (pids: readonly number[], field: string): number =>
  pids.reduce(
    (all, pid) => all + Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text(`/proc/${pid}/status`))?.[1] ?? 0),
    0,
  );

/** Thread -> number of voluntary and involuntary context switches. */
function switches(up: Stage): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of up.supervisors()) {
    for (const thread of threads(pid)) {
      const status = text(`/proc/${pid}/task/${thread}/status`);
      const counts = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)/gm)];
      found.set(
        `${pid}/${thread}`,
        counts.reduce((all, [, count]) => all + Number(count), 0),
      );
    }
  }
  return found;
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

const idle: Trial = {
  name: 'idle',
  rows: [
    { id: 'own', title: 'own memory of all its processes, idle with two services', unit: 'MiB', better: 'less' },
    {
      id: 'resident',
      title: 'resident memory of all its processes, shared pages included',
      unit: 'MiB',
      better: 'less',
    },
    { id: 'wakes', title: 'context switches in 30 s', unit: '', better: 'less' },
  ],
  needs: [],
  runs: { full: 3, quick: 1 },
  pace: 'all at once',
  async turn(entrant, { stage, quick, alone }) {
    await using up = await alone(async () => {
      const stack = stage(entrant, (mark) => ({
        services: [
          { name: 'one', argv: mark('one', 'run') },
          { name: 'two', argv: mark('two', 'run') },
        ],
        whenOneEnds: 'end',
        labels: false,
      }));
      await stack.allStarted(2, 20_000);
      return stack;
    });
    await Bun.sleep(quick ? 20_000 : 60_000);
    const before = switches(up);
    await Bun.sleep(30_000);
    const after = switches(up);
    const pids = up.supervisors();
    if (pids.length === 0) return { own: 'ended', resident: 'ended', wakes: 'ended' };
    const wakes = [...after].reduce((all, [thread, count]) => all + count - (before.get(thread) ?? 0), 0);
    return { own: (sum(pids, 'RssAnon') * 1_024) / MIB, resident: (sum(pids, 'VmRSS') * 1_024) / MIB, wakes };
  },
};

const size: Trial = {
  name: 'size',
  rows: [{ id: 'size', title: 'size on disk', unit: 'MiB', better: 'less' }],
  needs: [],
  runs: { full: 1, quick: 1 },
  pace: 'all at once',
  async turn({ installed }) {
    return { size: installed.bytes / MIB };
  },
};

export const REST: readonly Trial[] = [idle, size];
