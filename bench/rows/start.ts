// From the contestant's own exec to the exec of its services.
import type { Play } from '../stage.ts';
import { late, type Trial } from './trial.ts';

const stack =
  (count: number): Play =>
  (mark) => ({
    services: Array.from({ length: count }, (_, index) => ({
      name: `s${String(index + 1).padStart(4, '0')}`,
      argv: mark(`s${index + 1}`, 'run'),
    })),
    whenOneEnds: 'end',
    labels: false,
  });

function start(count: number, rows: Trial['rows'], runs: Trial['runs'], seconds: number): Trial {
  return {
    name: `start-${count}`,
    rows,
    needs: [],
    runs,
    pace: 'turn by turn',
    async turn(entrant, { stage }) {
      await using up = stage(entrant, stack(count));
      const execs = await up.allStarted(count, seconds * 1_000);
      const times = (execs ?? up.execs()).map(({ at }) => at - up.began);
      const wanted: Record<string, number> = { first: 1, second: 2, fiftieth: 50, thousandth: 1_000 };
      return Object.fromEntries(rows.map(({ id }) => [id, times[(wanted[id] ?? 1) - 1] ?? late(seconds)]));
    },
  };
}

const toThe = (id: string, title: string) =>
  ({ id, title: `exec to the ${title}`, unit: 'ms', better: 'less' }) as const;

export const START: readonly Trial[] = [
  start(2, [toThe('first', 'first service’s exec'), toThe('second', '2nd')], { full: 20, quick: 10 }, 20),
  start(50, [toThe('fiftieth', '50th of 50')], { full: 20, quick: 5 }, 30),
  start(1_000, [toThe('thousandth', '1,000th of 1,000')], { full: 3, quick: 1 }, 60),
];
