// What is fuzzed, and how what it does is told: the interface between the runner, which only knows bytes, and the targets,
// which know what must hold for any of them.
import type { Dice } from '../test/helpers/nonsense.ts';

/** Something that must hold did not: the message says what, and is the same for the same mistake. */
export class Finding extends Error {}

export interface Target {
  readonly about: string;
  /** Words and pieces that mutations may put in. */
  readonly words: readonly string[];
  /** Whether an input's outcome depends on nothing but the input: then it can be made smaller. */
  readonly pure: boolean;
  /** A longer input teaches nothing that a shorter one does not. */
  readonly longest: number;
  begin(dice: Dice): Promise<Trial>;
}

export interface Trial {
  /** An input that knows what is wanted: mostly right, and then something not. */
  fresh(): Uint8Array;
  /**
   * Tries an input; gives what it did, as names of which a new one makes it interesting; one with a `~` in front not so
   * much that it belongs into the corpus. Throws a Finding.
   */
  attempt(input: Uint8Array): Promise<readonly string[]> | readonly string[];
  /** Looks back over everything; throws a Finding. */
  end(): Promise<void>;
}

/** Fails with a Finding. */
export function must(holds: boolean, what: string | (() => string)): asserts holds {
  if (!holds) throw new Finding(typeof what === 'string' ? what : what());
}

/** Processor time that a step has taken, milliseconds: a busy machine does not change it. */
export function processorTime(step: () => void): number {
  const from = process.cpuUsage();
  step();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1_000;
}
