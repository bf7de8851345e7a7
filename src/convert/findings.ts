// The findings of a conversion: what of the source is not carried over, has another meaning in the result, or needs a
// decision by a person; and how a person and a program read them. Finds nothing itself; prints and reads nothing.
import { printable } from '../text.ts';

/**
 * `lost`: nothing in the result stands for it. `changed`: the result has it, with another meaning. `look`: the converter
 * could not know; a person has to.
 */
export type FindingKind = 'lost' | 'changed' | 'look';

/** A position in a source file. Lines and columns count from 1, columns in UTF-16 units. */
export interface Where {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The position of the first character of a file. */
export const startOf = (file: string): Where => ({ file, line: 1, column: 1 });

export interface Finding {
  readonly kind: FindingKind;
  /** null: the finding is about the source as a whole. */
  readonly where: Where | null;
  /** The construct, as it is called in the source: `startsecs`, `volumes of web`. */
  readonly what: string;
  /** Why it is not carried over, or what differs: a clause without a full stop. */
  readonly why: string;
  /** What to do or to write instead: a clause without a full stop. null: nothing has to be done. */
  readonly instead: string | null;
}

/** What `--json` prints for each finding. `where` is flat; all three are null for the source as a whole. */
export interface FindingJson {
  readonly kind: FindingKind;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly what: string;
  readonly why: string;
  readonly instead: string | null;
}

const LABELS = {
  lost: 'not carried over',
  changed: 'changed meaning',
  look: 'needs a look',
} as const satisfies Readonly<Record<FindingKind, string>>;

/**
 * One line: `file:line:column: not carried over: what: why. What to do.` without the position where there is none. Ends
 * without a newline. Control characters of the source are escaped.
 */
export function renderFinding({ kind, where, what, why, instead }: Finding): string {
  const place = where === null ? '' : `${where.file}:${where.line}:${where.column}: `;
  const advice = instead === null ? '' : `. ${capitalize(instead)}`;
  return printable(`${place}${LABELS[kind]}: ${what}: ${why}${advice}`);
}

/** All findings, a line each, in the order given; the empty text for none. */
export function renderFindings(findings: readonly Finding[]): string {
  return findings.map((finding) => `${renderFinding(finding)}\n`).join('');
}

/** The form of `--json`. Texts are as they are, not escaped. */
export function findingToJson({ kind, where, what, why, instead }: Finding): FindingJson {
  const { file = null, line = null, column = null } = where ?? {};
  return { kind, file, line, column, what, why, instead };
}

/** By file in the order of first mention, then by position; findings about the whole come last. Exact repetitions are dropped. */
export function sortFindings(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  const unique = findings.filter((finding) => {
    const key = JSON.stringify(finding);
    return seen.has(key) ? false : seen.add(key);
  });
  const files = new Map<string, number>();
  for (const { where } of unique) if (where !== null && !files.has(where.file)) files.set(where.file, files.size);
  const rank = ({ where }: Finding): number => (where === null ? files.size : (files.get(where.file) ?? 0));
  return unique.sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.where?.line ?? 0) - (b.where?.line ?? 0) ||
      (a.where?.column ?? 0) - (b.where?.column ?? 0),
  );
}

/** As a sentence begins; the name of the program stays as it is. */
function capitalize(text: string): string {
  if (text.startsWith('svc-super')) return text;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
