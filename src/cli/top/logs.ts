// The lines of a service that `top` has read so far. Each answer of the supervisor overlaps the one before: append() finds the
// lines that are new, and marks a gap if lines were lost between two answers. Pure.
import type { LogLineJson } from '../../control/follow.ts';
import { cleanLine } from './text.ts';

export interface ShownLine {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `gap`: in place of lines that were never read. */
  readonly stream: LogLineJson['stream'] | 'gap';
  /** Safe for a terminal. */
  readonly text: string;
}

export interface LogBuffer {
  /** Oldest first. */
  readonly lines: readonly ShownLine[];
  /** How many lines were dropped at the beginning since the first answer, so that a place in the log keeps its number. */
  readonly dropped: number;
}

/** The supervisor keeps 64 KiB of each service; here there is room for a longer look back. */
const MOST_LINES = 5_000;

export const NO_LINES: LogBuffer = { lines: [], dropped: 0 };
const GAP = '[lines are missing here: the service prints faster than they are read]';

/** The time to ask from: older lines are known. */
export function sinceOf({ lines }: LogBuffer): number {
  return lines.at(-1)?.time ?? 0;
}

/** `answer`: the lines that the supervisor has from sinceOf() on. */
export function append(buffer: LogBuffer, answer: readonly LogLineJson[]): LogBuffer {
  const read = answer.map(
    ({ time, stream, text }): ShownLine => ({ time: Date.parse(time), stream, text: cleanLine(text) }),
  );
  const last = buffer.lines.at(-1);
  const known = last === undefined ? [] : buffer.lines.filter(({ time }) => time === last.time);
  let same = 0;
  while (same < known.length && same < read.length && isSame(known[same], read[same])) same += 1;
  const fresh = read.slice(same);
  if (fresh.length === 0) return buffer;
  const isTorn = last !== undefined && same < known.length;
  const gap: readonly ShownLine[] = isTorn ? [{ time: fresh[0]?.time ?? 0, stream: 'gap', text: GAP }] : [];
  const lines = [...buffer.lines, ...gap, ...fresh];
  const excess = Math.max(0, lines.length - MOST_LINES);
  return { lines: excess > 0 ? lines.slice(excess) : lines, dropped: buffer.dropped + excess };
}

function isSame(a: ShownLine | undefined, b: ShownLine | undefined): boolean {
  return a?.time === b?.time && a?.text === b?.text && a?.stream === b?.stream;
}

/** Ignores case, unless the wanted text has capital letters. */
export function hasText(text: string, wanted: string): boolean {
  return wanted === wanted.toLowerCase() ? text.toLowerCase().includes(wanted) : text.includes(wanted);
}

/** The lines that a filter leaves. */
export function filtered({ lines }: LogBuffer, filter: string): readonly ShownLine[] {
  return filter === '' ? lines : lines.filter(({ text, stream }) => stream !== 'gap' && hasText(text, filter));
}
