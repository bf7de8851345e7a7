// A source text that a conversion reads, and positions in it. Reads no file and knows no format.
import { makeSource, type Source, type Span, toRange } from '../config/tree.ts';
import type { Where } from './findings.ts';

/** A text without byte order mark, with its lines; carriage returns before line ends are kept. */
export function sourceOf({ path, text }: { readonly path: string; readonly text: string }): Source {
  return makeSource(path, text.startsWith('\uFEFF') ? text.slice(1) : text);
}

/** The lines of a text without their newlines, and the offset of each. */
export function sourceLines({ text, lines }: Source): readonly { readonly text: string; readonly start: number }[] {
  return lines.map((start, index) => ({ text: text.slice(start, (lines[index + 1] ?? text.length + 1) - 1), start }));
}

/** The position of the first character of a span. */
export function whereIn(source: Source, { start }: Pick<Span, 'start'>): Where {
  const { line, column } = toRange(source, { start, end: start });
  return { file: source.file, line, column };
}
