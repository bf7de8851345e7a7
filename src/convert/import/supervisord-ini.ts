// The text of a supervisord.conf as sections and keys with their positions, read as Python's RawConfigParser reads it with the
// settings of supervisor 4 (strict=False, inline comments with `;` and `#`):
// https://docs.python.org/3/library/configparser.html, supervisor/options.py, class UnhosedConfigParser. Knows no key.
import type { Source } from '../../config/tree.ts';
import type { Where } from '../findings.ts';
import { sourceLines, whereIn } from '../source-text.ts';

export interface IniKey {
  /** In lower case, as the parser makes it. */
  readonly name: string;
  /** Continuation lines are joined with a newline. */
  readonly value: string;
  readonly where: Where;
  /** An inline comment was cut off the value, also within quotes. */
  readonly cut: string | null;
}

export interface IniSection {
  readonly name: string;
  readonly where: Where;
  /** The last value of a key that occurs several times; `repeated` has the others. */
  readonly keys: Map<string, IniKey>;
  readonly repeated: IniKey[];
}

export type IniRead =
  | { readonly ok: true; readonly sections: Map<string, IniSection> }
  | { readonly ok: false; readonly where: Where; readonly message: string };

const INLINE = [';', '#'];

/** Where an inline comment begins; -1 for none. As Python searches: each prefix in turn, the earliest of a round. */
function findComment(line: string): number {
  let prefixes = INLINE.map((prefix) => ({ prefix, index: -1 }));
  while (prefixes.length > 0) {
    let start = -1;
    prefixes = prefixes.flatMap(({ prefix, index }) => {
      const found = line.indexOf(prefix, index + 1);
      if (found < 0) return [];
      if ((found === 0 || /\s/.test(line[found - 1] ?? '')) && (start < 0 || found < start)) start = found;
      return [{ prefix, index: found }];
    });
    if (start >= 0) return start;
  }
  return -1;
}

interface Line {
  /** Without comment and surrounding white space. */
  readonly value: string;
  readonly indent: number;
  readonly where: Where;
  /** The comment that was cut off; null for none. */
  readonly comment: string | null;
}

function* readLines(source: Source): Generator<Line> {
  for (const { text: line, start } of sourceLines(source)) {
    const isComment = /^\s*[#;]/.test(line);
    const at = isComment ? 0 : findComment(line);
    const value = (at < 0 ? line : line.slice(0, at)).trim();
    const indent = Math.max(0, line.search(/\S/));
    yield { value, indent, where: whereIn(source, { start: start + indent }), comment: at < 0 ? null : line.slice(at) };
  }
}

/** A key that is being read: its lines, until another key or section follows. */
interface Open {
  readonly name: string;
  readonly where: Where;
  readonly lines: string[];
  cut: string | null;
}

/** Reads a text; into `sections` if given, as an included file is read after the file that includes it. */
export function readIni(source: Source, sections = new Map<string, IniSection>()): IniRead {
  let section: IniSection | null = null;
  let open: Open | null = null;
  let indent = 0;
  const close = (): void => {
    if (open !== null && section !== null) store(section, open);
    open = null;
  };
  for (const line of readLines(source)) {
    const { value, where, comment } = line;
    if (value === '') {
      if (comment === null) open?.lines.push('');
      continue;
    }
    if (open !== null && line.indent > indent) {
      open.lines.push(value);
      open.cut ??= comment;
      continue;
    }
    close();
    indent = line.indent;
    const name = /^\[(.+)\]/.exec(value)?.[1];
    if (name !== undefined) {
      section = sections.get(name) ?? { name, where, keys: new Map(), repeated: [] };
      sections.set(name, section);
      continue;
    }
    if (section === null) return { ok: false, where, message: 'there is a line before the first `[section]`' };
    const [, key = '', text = ''] = /^(.*?)\s*[=:]\s*(.*)$/s.exec(value) ?? [];
    if (key === '') return { ok: false, where, message: `supervisord rejects this line: ${value.slice(0, 60)}` };
    open = { name: key.trimEnd().toLowerCase(), where, lines: [text.trim()], cut: comment };
  }
  close();
  return { ok: true, sections };
}

function store({ keys, repeated }: IniSection, { name, where, lines, cut }: Open): void {
  const earlier = keys.get(name);
  if (earlier !== undefined) repeated.push(earlier);
  keys.delete(name);
  keys.set(name, { name, where, value: lines.join('\n').trimEnd(), cut });
}
