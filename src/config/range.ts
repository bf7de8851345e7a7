// Positions in a source text, as diagnostics show them. Types only.

/** Half-open stretch of a source text. Lines and columns count from 1, columns in UTF-16 units, as editors do. */
export interface Range {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** A range and its file: a configuration can have several files. */
export interface Place {
  readonly file: string;
  readonly range: Range;
}
