// Diagnostics: what is wrong with a file, where, and what to write instead; and their text and JSON forms. User mistakes
// are values of this type, never exceptions. Prints and reads nothing.
import { printable } from '../text.ts';
import { drawExcerpt } from './excerpt.ts';
import type { Range } from './range.ts';

/** Success or failure as a value. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

/** Another place that a diagnostic refers to: "also declared here". */
export interface Related {
  readonly message: string;
  readonly file: string;
  readonly range: Range;
}

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Stable, kebab-case; for programs. */
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly range: Range;
  /** What to write instead; printed after `help:`. */
  readonly suggestion?: string;
  readonly related?: readonly Related[];
}

/** Diagnostics, and the texts they point into by file name. */
export interface Failure {
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, string>;
}

/** `Diagnostic` with its range flattened: the output of `--json`. */
interface DiagnosticJson {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly suggestion: string | null;
  readonly related: readonly ({ readonly message: string; readonly file: string } & Range)[];
}

// A wrong 1 MiB file can be wrong in a hundred thousand places; only the first screens are useful.
const MAX_PRINTED = 50;
// A message may quote a name that is a megabyte long.
const MAX_MESSAGE = 500;

/** Errors and warnings in the order of the text: by file, line, column. Exact repetitions are dropped. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  const unique = diagnostics.filter(({ file, range, code, message }) => {
    const key = JSON.stringify([file, range.line, range.column, code, message]);
    return seen.has(key) ? false : seen.add(key);
  });
  const files = [...new Set(unique.map((d) => d.file))];
  return unique.sort(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) || a.range.line - b.range.line || a.range.column - b.range.column,
  );
}

/**
 * Formats diagnostics for a terminal: `path:line:col: error: message`, the source line, a squiggle, a `help:` line. Control
 * characters of messages and sources are escaped. Ends with a newline unless there are no diagnostics.
 */
export function render(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): string {
  const blocks = diagnostics.slice(0, MAX_PRINTED).map((d) => {
    const gutter = Math.max(4, ...[d, ...(d.related ?? [])].map((place) => String(place.range.line).length + 2));
    return [
      ...drawPlace(d.severity, d, sources, gutter),
      ...(d.suggestion === undefined
        ? []
        : [`${' '.repeat(gutter)} help: ${printable(d.suggestion.slice(0, MAX_MESSAGE))}`]),
      ...(d.related ?? []).flatMap((place) => drawPlace('note', place, sources, gutter)),
    ].join('\n');
  });
  const left = diagnostics.length - blocks.length;
  if (left > 0) blocks.push(`... and ${left} more`);
  return blocks.map((block) => `${block}\n`).join('');
}

/** `render` for a failure of loading. */
export function renderDiagnostics(failure: Failure): string {
  return render(failure.diagnostics, failure.sources);
}

/** One diagnostic for `--json`. Texts are not escaped. */
export function toJson(diagnostic: Diagnostic): DiagnosticJson {
  const { range, suggestion, related, ...rest } = diagnostic;
  return {
    ...rest,
    ...range,
    suggestion: suggestion ?? null,
    related: (related ?? []).map((place) => ({ message: place.message, file: place.file, ...place.range })),
  };
}

function drawPlace(
  kind: 'error' | 'warning' | 'note',
  place: Related,
  sources: ReadonlyMap<string, string>,
  gutter: number,
): readonly string[] {
  const { line, column } = place.range;
  const source = sources.get(place.file);
  return [
    `${printable(place.file)}:${line}:${column}: ${kind}: ${printable(place.message.slice(0, MAX_MESSAGE))}`,
    ...(source === undefined ? [] : drawExcerpt(source, place.range, gutter)),
  ];
}
