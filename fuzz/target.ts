// The interface between the runner, which handles bytes only, and the targets, which know what must hold for any input.
// Outcomes are names.
import type { Dice } from '../test/helpers/nonsense.ts';
import { processorTime } from '../test/helpers/processor.ts';

/** A condition did not hold. The message describes it, and is the same for the same mistake. */
export class Finding extends Error {}

export interface Target {
  readonly about: string;
  /** Words and pieces that mutations may insert. */
  readonly words: readonly string[];
  /** Whether the outcome of an input depends on the input only: then it can be shrunk. */
  readonly pure: boolean;
  /** Limit of an input's length; longer ones find nothing more. */
  readonly longest: number;
  begin(dice: Dice): Promise<Trial>;
}

export interface Trial {
  /** Generates an input: mostly valid, with a mistake. */
  fresh(): Uint8Array;
  /**
   * Tries an input; returns its outcome as names. An input with a new name is kept during the run and, unless the name begins
   * with `~`, written to the corpus. Throws a Finding.
   */
  attempt(input: Uint8Array): Promise<readonly string[]> | readonly string[];
  /** Checks at the end; throws a Finding. */
  end(): Promise<void>;
}

/** Fails with a Finding. */
export function must(holds: boolean, what: string | (() => string)): asserts holds {
  if (!holds) throw new Finding(typeof what === 'string' ? what : what());
}

/** Processor time of a step, milliseconds: independent of the load of the machine. */
export function measure(step: () => void): number {
  const from = processorTime();
  step();
  return processorTime() - from;
}

/**
 * Calls `run` until it takes at most `limit` milliseconds of processor time: the minimum of up to five runs counts, because a
 * collector or a compiler may run in any of them. Returns the result of the last run; fails with a Finding.
 */
export async function mustBeQuick<T>(
  what: string,
  limit: (result: T) => number,
  run: () => T | Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const from = processorTime();
    const result = await run();
    if (processorTime() - from <= limit(result)) return result;
    must(tries < 4, `${what} takes too long for its size`);
  }
}
