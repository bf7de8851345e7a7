// What lines pass on their way to a frame: what takes colours away, leaves lines out, looks for what `log` probes want. Each
// takes a line where it lies and hands it on; text is made of it only where a pattern has to be tried. Pure.
import { stripAnsi } from './frame.ts';
import type { TakeLine } from './lines.ts';

/** What a line is tried on. */
export interface Pattern {
  test(text: string): boolean;
}

/** Told about a run's output. */
export interface Watcher {
  /** Patterns still looked for, by the probe's index; each is taken out at its first match. */
  readonly patterns: Map<number, Pattern>;
  matched(index: number): void;
  /** There was output; null when nobody wants to know. */
  readonly progressed: (() => void) | null;
}

const textOf = (source: Uint8Array, from: number, to: number): string =>
  Buffer.from(source.buffer, source.byteOffset + from, to - from).toString('utf8');

/** Hands each line to two. */
export function both(one: TakeLine, other: TakeLine): TakeLine {
  return (source, from, to, cut) => {
    one(source, from, to, cut);
    other(source, from, to, cut);
  };
}

export function stripping(take: TakeLine, ansi: 'keep' | 'strip'): TakeLine {
  if (ansi === 'keep') return take;
  return (source, from, to, cut) => {
    const plain = stripAnsi(source.subarray(from, to));
    take(plain, 0, plain.length, cut);
  };
}

/** What one of the patterns matches goes nowhere. Of a line in pieces the first decides: the others are no lines. */
export function dropping(take: TakeLine, drop: readonly Pattern[]): TakeLine {
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

/** Lines pass through to `take`; while there are patterns, each is looked at on the way. */
export function watched(take: TakeLine, watcher: Watcher): TakeLine {
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
