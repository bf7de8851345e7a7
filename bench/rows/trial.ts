// What a measurement is: its rows in the table, how often it is made, and what one contestant's turn gives.
import type { Ability } from '../scenario.ts';
import type { Entrant, Play, Stage } from '../stage.ts';

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: '×' | 'ms' | 's' | 'MB/s' | 's/GB' | 'MiB' | '' | '/s';
  readonly better: 'less' | 'more' | 'neither';
}

/** Row -> a figure, or why there is none. A row that is left out was not measured. */
export type Readings = Readonly<Record<string, number | string>>;

export interface Trial {
  readonly name: string;
  readonly rows: readonly Row[];
  /** A contestant that lacks one of these is not asked. */
  readonly needs: readonly Ability[];
  /** Compares svc-super with itself: no other contestant is asked. */
  readonly isOwn?: boolean;
  readonly runs: { readonly full: number; readonly quick: number };
  /** Turns of contestants one after the other; those of a round beside each other; or all turns of all, for what takes minutes. */
  readonly pace: 'turn by turn' | 'round by round' | 'all at once';
  turn(entrant: Entrant, turn: Turn): Promise<Readings>;
}

export interface Turn {
  readonly number: number;
  readonly of: number;
  readonly quick: boolean;
  stage(entrant: Entrant, play: Play, lines?: number): Stage;
  /** While it runs, no other turn of a shared time is in such a part. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

let port = 20_000;

/** Of no other service of this run. */
export function freshPort(): number {
  port = port >= 32_000 ? 20_001 : port + 1;
  return port;
}

export const late = (seconds: number): string => `not within ${seconds} s`;

export function lock(): Turn['alone'] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
