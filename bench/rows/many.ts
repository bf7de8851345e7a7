// Hundreds of services: in stages compared with the same services without stages, and a long chain of tasks compared with a
// short one. Compares svc-super with itself only: the rows show whether its time grows faster than the work.
import type { Service } from '../scenario.ts';
import type { Entrant, Stage } from '../stage.ts';
import { late, type Readings, type Trial, type Turn } from './trial.ts';

const SIGTERM = 15;
const SECONDS = 60;
const SERVICES = 1_000;
const SHORT = 100;
const LONG = 2_000;
/** Pause between the response to one `status` and the next request, milliseconds. */
const PAUSE = 200;

type Mark = Parameters<ConstructorParameters<typeof Stage>[1]>[0];

interface Life {
  readonly start: number;
  readonly stop: number;
  readonly slowest: number;
}

/** Requests the status repeatedly. Returns a function that stops it and resolves to the longest response time. */
function askForStatus({ folder }: Stage): () => Promise<number> {
  let isOver = false;
  let slowest = 0;
  const asking = (async () => {
    while (!isOver) {
      const from = performance.now();
      const isAnswered = await fetch('http://svc-super/v1/status', { unix: `${folder}/svc-super.sock` })
        .then((answer) => answer.text())
        .then((text) => text.length > 0)
        .catch(() => false);
      if (isAnswered) slowest = Math.max(slowest, performance.now() - from);
      await Bun.sleep(PAUSE);
    }
  })();
  return async () => {
    isOver = true;
    await asking;
    return slowest;
  };
}

const isExec = ({ what, who }: Stage['events'][number]): boolean => what === 'exec' && who !== 'stage';

/** The times at which services were executed; null if fewer than `count` were executed in time. */
async function executed(up: Stage, count: number): Promise<readonly number[] | null> {
  // The events of many services arrive in many parts: filtering all of them each time would be slow.
  const enough = await up.until(
    () => (up.events.length >= count && up.events.filter(isExec).length >= count ? true : undefined),
    SECONDS * 1_000,
  );
  if (enough === null) return null;
  return up.events.filter(isExec).map(({ at }) => at);
}

async function live(entrant: Entrant, { stage }: Turn, stages: number): Promise<Life | string> {
  const make = (mark: Mark): Service[] =>
    Array.from({ length: SERVICES }, (_, at) => ({
      name: `s${at}`,
      argv: mark(`s${at}`, 'run'),
      ...(stages > 1 && { group: `g${Math.floor((at * stages) / SERVICES)}` }),
    }));
  await using up = stage(entrant, (mark) => ({ services: make(mark), whenOneEnds: 'end', labels: false }));
  // Before it executes the first service svc-super reads its configuration, and does not respond.
  await executed(up, 1);
  const finish = askForStatus(up);
  const execs = await executed(up, SERVICES);
  const start = execs === null ? null : Math.max(...execs) - up.began;
  await Bun.sleep(500);
  up.signal(up.init, SIGTERM);
  const end = await up.until(() => up.find('end', 'stage'), SECONDS * 1_000);
  const slowest = await finish();
  const asked = up.find('signalled', 'stage');
  if (start === null || end === null || asked === undefined) return late(SECONDS);
  return end.value === 0 ? { start, stop: end.at - asked.at, slowest } : `ends with ${end.value}`;
}

/** The common part of both trials. */
const OWN = { needs: [], isOwn: true, runs: { full: 5, quick: 3 }, pace: 'turn by turn' } as const;
/** The measurements of one run, for each number of stages. */
const PARTS = ['start', 'stop'] as const;
const COUNTS = [2, 20] as const;
const CASES = COUNTS.flatMap((count) => PARTS.map((part) => ({ id: `stages-${count}-${part}`, count, part })));

const stages: Trial = {
  ...OWN,
  name: 'stages',
  rows: [
    ...CASES.map(({ id, count, part }) => ({
      id,
      title: `1,000 services in ${count} stages ${part}, beside the same flat`,
      unit: '×' as const,
      better: 'neither' as const,
    })),
    { id: 'stages-status', title: 'the slowest `status` meanwhile', unit: 'ms', better: 'neither' },
  ],
  async turn(entrant, turn): Promise<Readings> {
    const lives = new Map<number, Life>();
    // Each variant is the first one in turn, because later ones run with warm caches.
    const order = [1, ...COUNTS].map((_, at, all) => all[(at + turn.number) % all.length] ?? 1);
    for (const count of order) {
      const found = await live(entrant, turn, count);
      if (typeof found === 'string') return { 'stages-2-start': found };
      lives.set(count, found);
    }
    const of = (count: number, part: 'start' | 'stop') => lives.get(count)?.[part] ?? NaN;
    return {
      ...Object.fromEntries(CASES.map(({ id, count, part }) => [id, of(count, part) / of(1, part)])),
      'stages-status': Math.max(...[...lives.values()].map(({ slowest }) => slowest)),
    };
  },
};

/** Milliseconds from one task's execution to the next one's; and the slowest status. */
async function walk(entrant: Entrant, { stage }: Turn, count: number): Promise<readonly [number, number] | string> {
  await using up = stage(entrant, (mark) => ({
    services: Array.from({ length: count }, (_, at) => ({
      name: `t${at}`,
      argv: mark(`t${at}`, 'exit', 0, 0),
      isTask: true,
      ...(at > 0 && { after: `t${at - 1}` }),
    })),
    whenOneEnds: 'end',
    labels: false,
  }));
  await executed(up, 1);
  const finish = askForStatus(up);
  const execs = await executed(up, count);
  await up.until(() => up.find('end', 'stage'), SECONDS * 1_000);
  const slowest = await finish();
  if (execs === null) return late(SECONDS);
  return [(Math.max(...execs) - Math.min(...execs)) / (count - 1), slowest];
}

const chain: Trial = {
  ...OWN,
  name: 'chain',
  rows: [
    {
      id: 'chain',
      title: 'a chain of 2,000 tasks, per task, compared with a chain of 100',
      unit: '×',
      better: 'neither',
    },
    { id: 'chain-task', title: 'a task of the chain of 2,000', unit: 'ms', better: 'neither' },
    { id: 'chain-status', title: 'the slowest `status` meanwhile', unit: 'ms', better: 'neither' },
  ],
  async turn(entrant, turn): Promise<Readings> {
    const short = await walk(entrant, turn, SHORT);
    const long = await walk(entrant, turn, LONG);
    if (typeof short === 'string' || typeof long === 'string') return { chain: late(SECONDS) };
    return { chain: long[0] / short[0], 'chain-task': long[0], 'chain-status': Math.max(short[1], long[1]) };
  },
};

export const MANY: readonly Trial[] = [stages, chain];
