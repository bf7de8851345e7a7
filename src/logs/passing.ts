// Filters between the line splitter and a frame: remove colours, drop lines, match the patterns of `log` probes. Each wraps a
// function that takes lines. A line is decoded to text only to match a pattern. Pure.
import { stripAnsi } from './frame.ts';
import type { TakeLine } from './lines.ts';

/** A pattern that is matched against the text of a line. */
export interface LinePattern {
  test(text: string): boolean;
}

/** The listener for a run's output. */
export interface Watcher {
  /** Patterns that have not matched yet, by the probe's index; the first match removes a pattern. */
  readonly patterns: Map<number, LinePattern>;
  matched(index: number): void;
  /** Called for any output; null if no listener needs it. */
  readonly progressed: (() => void) | null;
}

const textOf = (source: Uint8Array, from: number, to: number): string =>
  Buffer.from(source.buffer, source.byteOffset + from, to - from).toString('utf8');

/** Passes each line to two functions. */
export function passToBoth(one: TakeLine, other: TakeLine): TakeLine {
  return (source, from, to, cut) => {
    one(source, from, to, cut);
    other(source, from, to, cut);
  };
}

/** Removes escape sequences of terminals if `ansi` is `strip`. */
export function stripLines(take: TakeLine, ansi: 'keep' | 'strip'): TakeLine {
  if (ansi === 'keep') return take;
  return (source, from, to, cut) => {
    const plain = stripAnsi(source.subarray(from, to));
    take(plain, 0, plain.length, cut);
  };
}

/**
 * Drops the lines that one of the patterns matches. For a line in pieces, only the first piece is matched, and decides for
 * all of them.
 */
export function dropLines(take: TakeLine, drop: readonly LinePattern[]): TakeLine {
  if (drop.length === 0) return take;
  let isWithin = false;
  let isDropped = false;
  return (source, from, to, cut) => {
    if (!isWithin) {
      const text = textOf(source, from, to);
      isDropped = drop.some((pattern) => pattern.test(text));
    }
    isWithin = cut;
    if (!isDropped) take(source, from, to, cut);
  };
}

/** Passes each line to `take`, then matches it against the patterns that have not matched yet. */
export function watchLines(take: TakeLine, watcher: Watcher): TakeLine {
  if (watcher.patterns.size === 0) return take;
  return (source, from, to, cut) => {
    take(source, from, to, cut);
    if (watcher.patterns.size === 0) return;
    const text = textOf(source, from, to);
    for (const [index, pattern] of watcher.patterns) {
      if (!pattern.test(text)) continue;
      watcher.patterns.delete(index);
      watcher.matched(index);
    }
  };
}
