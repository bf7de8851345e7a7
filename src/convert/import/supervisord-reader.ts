// One `[program:x]` of a supervisord.conf while it is read: its keys with their variables expanded, and reports about it.
import type { Where } from '../findings.ts';
import { readBoolean } from '../quantities.ts';
import type { Value } from '../yaml-values.ts';
import type { Names } from './names.ts';
import type { Report } from './source.ts';
import type { IniKey, IniSection } from './supervisord-ini.ts';
import {
  type Expanded,
  type Expansion,
  expandPercent,
  fromMarks,
  hasBareReference,
  readInteger,
  readPairs,
} from './supervisord-values.ts';

/** The parts of the file that the import of each program reads. */
export interface ProgramContext {
  readonly report: Report;
  readonly names: Names;
  /** The folder of the file: `%(here)s`. */
  readonly here: string;
  /** `[supervisord] environment`, with marks for its references (supervisord-values.ts). */
  readonly environment: ReadonlyMap<string, string>;
  /** Group by program, for `%(group_name)s`. */
  readonly groups: ReadonlyMap<string, string>;
  /** How an event listener ends the container: after any exit, after a program has failed permanently, or not at all. */
  readonly ends: 'any' | 'fatal' | null;
}

interface Copy {
  /** null: svc-super numbers the copies. */
  readonly number: number | null;
  /** The number of copies of the program. */
  readonly count: number;
  /** Nothing is reported: another reader of the same program reports it. */
  readonly isSilent: boolean;
}

/** Reads the keys of one program for one copy of it; reports what is wrong with them. */
export class ProgramReader {
  readonly section: IniSection;
  readonly program: string;
  readonly context: ProgramContext;
  readonly variables = new Map<string, Value>();
  /** Values of `%(ENV_X)s`, with marks. */
  readonly #values = new Map<string, string>();
  readonly #number: number | null;
  readonly #count: number;
  readonly #isSilent: boolean;

  constructor(section: IniSection, context: ProgramContext, copy: Copy) {
    const { number, count, isSilent } = copy;
    this.section = section;
    this.program = section.name.replace(/^[^:]*:/, '').trim();
    this.context = context;
    this.#number = number;
    this.#count = count;
    this.#isSilent = isSilent;
    for (const [name, value] of context.environment) this.#values.set(`ENV_${name}`, value);
    this.#readEnvironment();
  }

  key(name: string): IniKey | undefined {
    return this.section.keys.get(name);
  }

  where(name: string): Where {
    return this.key(name)?.where ?? this.section.where;
  }

  /** A value with its `%(name)s` put in; null: it is not given, or wrong, which is reported. */
  expand(name: string): Expanded | null {
    const key = this.key(name);
    return key === undefined ? null : this.#expand(key);
  }

  number(name: string): number | null {
    return this.#typed(name, readInteger, 'a whole number');
  }

  boolean(name: string): boolean | null {
    return this.#typed(name, readBoolean, 'true or false');
  }

  /** Reports about this program, once for all of its copies. */
  note(kind: 'lost' | 'changed' | 'look', name: string, why: string, instead: string | null = null): void {
    if (!this.#isSilent) this.context.report[kind](this.where(name), `${name} of ${this.program}`, why, instead);
  }

  #typed<T>(name: string, read: (text: string) => T | null, wanted: string): T | null {
    const expanded = this.expand(name);
    if (expanded === null) return null;
    const value = read(expanded.text);
    if (value === null) this.note('look', name, `supervisord rejects it: it must be ${wanted}`, 'the default is used');
    return value;
  }

  #expand(key: IniKey): Expanded | null {
    const result = expandPercent(key.value, (name) => this.#find(name));
    if (result.ok) return result.value;
    this.note('look', key.name, `supervisord rejects it: ${result.why}`, 'it is left out');
    return null;
  }

  #find(name: string): Expansion | null {
    const fixed = (value: string | number): Expansion => ({ kind: 'fixed', value });
    const own = this.#values.get(name);
    if (own !== undefined) return fixed(own);
    if (name === 'program_name') return fixed(this.program);
    if (name === 'group_name') return fixed(this.context.groups.get(this.program) ?? this.program);
    if (name === 'here') return fixed(this.context.here);
    if (name === 'numprocs') return fixed(this.#count);
    if (name === 'process_num') {
      return this.#number === null ? { kind: 'reference', variable: 'SVC_REPLICA' } : fixed(this.#number);
    }
    if (name === 'host_node_name') return { kind: 'reference', variable: 'HOSTNAME' };
    const variable = /^ENV_(\w+)$/.exec(name)?.[1];
    return variable === undefined ? null : { kind: 'reference', variable };
  }

  #readEnvironment(): void {
    const expanded = this.expand('environment');
    if (expanded === null) return;
    // Read with marks in place of the references, which supervisord replaces before it splits the list. A later `%(ENV_X)s` gets
    // the value with its marks.
    const read = readPairs(expanded.marked);
    if (!read.ok) {
      this.note('look', 'environment', `supervisord rejects it: ${read.why}`, 'it is left out');
      return;
    }
    for (const [name, value] of read.pairs) {
      this.#values.set(`ENV_${name}`, value);
      this.variables.set(name, fromMarks(value).text);
    }
    if (hasBareReference(expanded.marked)) {
      const why =
        'a variable without quotes is carried over whole; supervisord rejects or splits its value if that has a space or `,`';
      this.note('changed', 'environment', why);
    }
    // A second `=` before the next comma, as in `A=x=y` or `A=x B=y`, ends the value for supervisord.
    const unquoted = expanded.shell.replaceAll(/"[^"]*"|'[^']*'/g, '');
    if (/=[^"',\s][^,]*=/.test(unquoted)) {
      const why = `a value without quotes ends at the first character that is no letter, digit or \`/.+-():_\``;
      this.note('look', 'environment', `${why}: it is carried over as supervisord reads it`, 'check the values');
    }
  }
}
