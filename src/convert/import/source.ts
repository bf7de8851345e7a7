// What every importer takes and gives: a source text with what may be read beside it, and a draft of services.yaml with the
// findings. Reads no file itself: the caller hands in the functions that do.
import type { Finding, FindingKind, Where } from '../findings.ts';
import type { FileDraft } from '../services-yaml.ts';

/** What is imported. Paths are as the user writes them, so that findings name files as the command line does. */
export interface ImportInput {
  /** The file or folder. */
  readonly path: string;
  /** Its text; empty for a folder. */
  readonly text: string;
  /** Files given after the first one; for formats that merge files. */
  readonly more: readonly { readonly path: string; readonly text: string }[];
  /** What `docker image inspect` prints, one text for each `--image-config`. */
  readonly imageConfigs: readonly { readonly path: string; readonly text: string }[];
  /** The text of a file of UTF-8 that the source names; null: it cannot be read. */
  read(path: string): string | null;
  /** The names in a folder, sorted, folders with a `/` behind them; null: there is no such folder. */
  list(path: string): readonly string[] | null;
}

/** A draft and its findings, or why there is none. */
export type Imported =
  | { readonly ok: true; readonly draft: FileDraft; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly where: Where | null; readonly message: string };

/** Imports one format. */
export type Importer = (input: ImportInput) => Imported;

/** Collects findings. `what`, `why` and `instead` are as in `Finding`. */
export class Report {
  readonly findings: Finding[] = [];
  readonly #topics = new Set<string>();

  lost(where: Where | null, what: string, why: string, instead: string | null = null): void {
    this.#add('lost', where, what, why, instead);
  }

  changed(where: Where | null, what: string, why: string, instead: string | null = null): void {
    this.#add('changed', where, what, why, instead);
  }

  look(where: Where | null, what: string, why: string, instead: string | null = null): void {
    this.#add('look', where, what, why, instead);
  }

  /** Like `changed`, once for a whole import: a `topic` is reported at its first place only. */
  once(topic: string, where: Where | null, what: string, why: string, instead: string | null = null): void {
    if (this.#isNew(topic)) this.#add('changed', where, what, why, instead);
  }

  /** Like `look`, likewise. */
  lookOnce(topic: string, where: Where | null, what: string, why: string, instead: string | null = null): void {
    if (this.#isNew(topic)) this.#add('look', where, what, why, instead);
  }

  #isNew(topic: string): boolean {
    return !this.#topics.has(topic) && this.#topics.add(topic) !== undefined;
  }

  #add(kind: FindingKind, where: Where | null, what: string, why: string, instead: string | null): void {
    this.findings.push({ kind, where, what: shorten(what), why, instead });
  }
}

/** Texts of a source in findings are at most 100 characters long and on one line. */
function shorten(text: string): string {
  const line = text
    .replaceAll(/\s*\n\s*/g, /\b(?:done|fi|esac)\b/.test(text) ? '; ' : ' ')
    .replaceAll(/\b(do|then|else|in); /g, '$1 ')
    .trim()
    .replace(/(?<=\w):$/, '');
  if (line === '') return 'an empty text';
  return line.length <= 100 ? line : `${line.slice(0, 99)}…`;
}

/** The command of a service whose program is not known: it prints that and fails with EX_CONFIG (sysexits.h). */
export const missingCommand = (name: string): string => `echo 'svc-super: ${name} has no command yet' >&2; exit 78`;

/** The comment above a service that names its place: `compose.yaml:12`. */
export function placeComment({ file, line }: Where): string {
  return `${file}:${line}`;
}
