// The lines of a service that `top` has read so far. Each response of the supervisor overlaps the one before: append() finds the
// lines that are new, marks a gap if lines were lost between two responses, and replaces lines that had no end. Pure.
import type { LogLineJson } from '../../control/follow.ts';
import { cleanLine } from './text.ts';

export interface ShownLine {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** `gap`: in place of lines that were never read. */
  readonly stream: LogLineJson['stream'] | 'gap';
  /** Safe for a terminal. */
  readonly text: string;
  /** No newline has ended it so far: the next response has it again, perhaps longer. */
  readonly isUnfinished: boolean;
}

export interface LogBuffer {
  /** Oldest first; then the unfinished ones. */
  readonly lines: readonly ShownLine[];
  /** How many lines were dropped from the beginning so far. Without it, a line that was found could not be found again. */
  readonly dropped: number;
}

/** Lines that are kept of each service: more than the supervisor keeps in its 64 KiB, unless they are very short. */
const MOST_LINES = 5_000;

export const NO_LINES: LogBuffer = { lines: [], dropped: 0 };
const GAP = '[lines are missing here: the service prints faster than they are read]';

/** The time from which lines are requested, milliseconds since 1970: older lines are known. */
export function sinceOf({ lines }: LogBuffer): number {
  const ended = lines.findLast(({ isUnfinished }) => !isUnfinished)?.time ?? 0;
  return Math.min(ended, ...lines.filter(({ isUnfinished }) => isUnfinished).map(({ time }) => time));
}

/** Adds the new lines of a response, which has all lines that the supervisor keeps from sinceOf() on, or from an earlier time. */
export function append(buffer: LogBuffer, response: readonly LogLineJson[]): LogBuffer {
  const read = response.map(
    ({ time, stream, text, unfinished }): ShownLine => ({
      time: Date.parse(time),
      stream,
      text: cleanLine(text),
      isUnfinished: unfinished === true,
    }),
  );
  const [known, before] = splitUnfinished(buffer.lines);
  const [ended, unfinished] = splitUnfinished(read);
  const overlap = countOverlap(known, ended);
  const fresh = ended.slice(overlap);
  const isUnchanged = before.length === unfinished.length && before.every((line, at) => isSame(line, unfinished[at]));
  if (fresh.length === 0 && isUnchanged) return buffer;
  const isTorn = fresh.length > 0 && known.length > 0 && overlap === 0;
  const gap: ShownLine = { time: fresh[0]?.time ?? 0, stream: 'gap', text: GAP, isUnfinished: false };
  const lines = [...known, ...(isTorn ? [gap] : []), ...fresh, ...unfinished];
  const excess = Math.max(0, lines.length - MOST_LINES);
  return { lines: excess > 0 ? lines.slice(excess) : lines, dropped: buffer.dropped + excess };
}

function splitUnfinished(lines: readonly ShownLine[]): readonly [readonly ShownLine[], readonly ShownLine[]] {
  return [lines.filter(({ isUnfinished }) => !isUnfinished), lines.filter(({ isUnfinished }) => isUnfinished)];
}

/** How many lines at the beginning of a response are the last known ones. */
function countOverlap(lines: readonly ShownLine[], read: readonly ShownLine[]): number {
  const known = lines.filter(({ stream }) => stream !== 'gap').slice(-read.length);
  const isOverlap = (from: number) => known.slice(from).every((line, index) => isSame(line, read[index]));
  const start = known.findIndex((line, from) => isSame(line, read[0]) && isOverlap(from));
  return start < 0 ? 0 : known.length - start;
}

function isSame(a: ShownLine | undefined, b: ShownLine | undefined): boolean {
  return a?.time === b?.time && a?.text === b?.text && a?.stream === b?.stream;
}

/** Whether a text has the wanted text. */
export function hasText(text: string, wanted: string): boolean {
  return findText(text, wanted) >= 0;
}

/** Index of the wanted text, or -1. Upper and lower case are the same, unless the wanted text has a capital letter. */
export function findText(text: string, wanted: string): number {
  if (wanted !== wanted.toLowerCase()) return text.indexOf(wanted);
  // The only character whose lower case is longer: indexes behind it would be wrong.
  return text.replaceAll('\u0130', 'i').toLowerCase().indexOf(wanted);
}

/** The lines that have the text of the filter; all lines and gaps if the filter is empty. */
export function filtered({ lines }: LogBuffer, filter: string): readonly ShownLine[] {
  return filter === '' ? lines : lines.filter(({ text, stream }) => stream !== 'gap' && hasText(text, filter));
}
