// A trial: its rows in the table, how often it runs, and the result of one turn of a contestant.
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
  /** Contestants without one of these abilities are skipped. */
  readonly needs: readonly Ability[];
  /** Compares svc-super with itself only. */
  readonly isOwn?: boolean;
  readonly runs: { readonly full: number; readonly quick: number };
  /** Turns one after the other; in parallel within a round; or all turns in parallel, for trials that take minutes. */
  readonly pace: 'turn by turn' | 'round by round' | 'all at once';
  turn(entrant: Entrant, turn: Turn): Promise<Readings>;
}

export interface Turn {
  readonly number: number;
  readonly of: number;
  readonly quick: boolean;
  stage(entrant: Entrant, play: Play, lines?: number): Stage;
  /** Runs a part during which no other turn is in such a part. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

let port = 20_000;

/** A port that no other service of this run uses. */
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
