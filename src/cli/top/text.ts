// Text in terminal cells: widths, cutting and padding, sparklines, short sizes; and escaping of text from outside, which must not move
// the cursor or shift a column. Knows no rows and no colours. Pure.
import stringWidth from 'string-width';
import { printable, printableLine } from '../../text.ts';

const ASCII = /^[ -~]*$/;
const segmenter = new Intl.Segmenter();

/**
 * Variation selectors and skin tones: terminals disagree about the width of a character with one of them. They are removed, because a
 * plain character has the same width everywhere.
 */
const DISPUTED = /[\ufe00-\ufe0f]|[\u{1f3fb}-\u{1f3ff}]/gu;

/** A name or a message from outside, safe for a terminal, on one line. */
export function clean(text: string): string {
  return ASCII.test(text) ? text : printable(text).replace(DISPUTED, '');
}

/** A line that a program has printed, safe for a terminal: control sequences are removed, a tab is two spaces. */
export function cleanLine(text: string): string {
  return ASCII.test(text) ? text : printableLine(text.replaceAll('\t', '  ')).replace(DISPUTED, '');
}

/** The text in ASCII, with the same width, for a terminal that shows no other characters. */
export function toAscii(text: string): string {
  if (ASCII.test(text)) return text;
  const segments = [...segmenter.segment(text)].map(({ segment }) => segment);
  return segments
    .map((segment) => (ASCII.test(segment) ? segment : segment === '…' ? '~' : '?'.repeat(widthOf(segment))))
    .join('');
}

/** The width in cells of a text without control sequences. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** The part of a text from the cell `from` on, at most `cells` wide. A wide character that is cut in half becomes a space. */
export function slice(text: string, from: number, cells: number): string {
  if (ASCII.test(text)) return text.slice(from, from + cells);
  let at = 0;
  let found = '';
  for (const { segment } of segmenter.segment(text)) {
    const width = widthOf(segment);
    if (at >= from + cells) break;
    if (at >= from) found += at + width <= from + cells ? segment : ' ';
    else if (at + width > from) found += ' '.repeat(at + width - from);
    at += width;
  }
  return found;
}

/** A text in exactly `cells` cells: filled with spaces, or cut with an ellipsis. */
export function fit(text: string, cells: number, align: 'left' | 'right' = 'left'): string {
  if (cells <= 0) return '';
  const width = widthOf(text);
  if (width > cells) return pad(`${slice(text, 0, cells - 1).trimEnd()}…`, cells);
  return align === 'left' ? pad(text, cells) : ' '.repeat(cells - width) + text;
}

function pad(text: string, cells: number): string {
  return text + ' '.repeat(Math.max(0, cells - widthOf(text)));
}

/** Wraps a text between words into lines of at most `cells`; a longer word is cut into pieces. */
export function wrapWords(text: string, cells: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (widthOf(joined) <= cells) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    const pieces = cut(word, cells);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
  }
  return [...lines, line];
}

/**
 * The text in pieces of at most `cells`; one empty piece if it is empty. A wide character that does not fit at the end of a piece begins
 * the next one.
 */
export function cut(text: string, cells: number): readonly string[] {
  const pieces: string[] = [];
  if (ASCII.test(text)) {
    for (let from = 0; from < text.length || from === 0; from += cells) pieces.push(text.slice(from, from + cells));
    return pieces;
  }
  let piece = '';
  let taken = 0;
  for (const { segment } of segmenter.segment(text)) {
    const shown = slice(segment, 0, cells);
    const width = widthOf(shown);
    if (taken + width > cells) {
      pieces.push(piece);
      piece = '';
      taken = 0;
    }
    piece += shown;
    taken += width;
  }
  return [...pieces, piece];
}

/** The largest known value; 0 if there is none. */
export function maximum(values: readonly (number | null)[]): number {
  return Math.max(0, ...values.map((value) => value ?? 0));
}

/** CPU of less than this share of a processor does not fill a chart: an idle service would look busy. */
const LEAST_CPU = 0.25;
/** With this factor, memory that does not change fills six of eight steps, in the middle between two: small changes do not show. */
const HEADROOM = 1.4;

/** The value at the top of a chart whose largest value is `most`. */
export function chartTop(kind: 'cpu' | 'memory', most: number): number {
  return kind === 'cpu' ? Math.max(LEAST_CPU, most) : Math.max(1, HEADROOM * most);
}

/** One character for each value, the newest right; a value that is not known is a space. `top`: the value of a full bar. */
export function sparkline(values: readonly (number | null)[], top: number, bars: string): string {
  const steps = bars.length - 1;
  return values
    .map((value) => {
      if (value === null) return ' ';
      const share = top > 0 ? Math.min(1, Math.max(0, value / top)) : 0;
      return bars[share === 0 ? 0 : Math.max(1, Math.round(share * steps))] ?? ' ';
    })
    .join('');
}

/** `812K`, `1.4G`: at most five cells. */
export function shortSize(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)}${units[unit]}`;
}

/** `0%`, `1.5%`, `240%` of one processor. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}%`;
}

/**
 * `45s`, `3m12s`, `45m`, `5h02m`, `12d04h`: at most six cells up to a hundred days. Long durations have no seconds, so that their rows are
 * not drawn again each second.
 */
export function shortDuration(seconds: number): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86_400)}d${two(Math.floor(whole / 3_600) % 24)}h`;
}
