// Parses the flags of a command with Node's parseArgs, and rewrites its errors. Loaded only if there are flags or arguments. Prints
// nothing.
import { parseArgs } from 'node:util';
import { didYouMean } from '../config/nearest.ts';
import type { Command, GivenFlags } from './command.ts';
import { flagsOf } from './flags.ts';

type Parsed = { readonly ok: true; readonly flags: GivenFlags } | { readonly ok: false; readonly message: string };

/** The flags and arguments; or the message of parseArgs. */
export function parseFlags(command: Command, args: readonly string[]): Parsed {
  const options = Object.fromEntries(
    Object.entries(flagsOf(command)).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short !== undefined && { short }), ...(multiple === true && { multiple }) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const isList = (value: unknown): value is string[] => Array.isArray(value);
    const entries = Object.entries(values);
    const flags: GivenFlags = {
      values: Object.fromEntries(entries.filter(([, value]) => !isList(value))) as GivenFlags['values'],
      positionals,
      lists: Object.fromEntries(entries.flatMap(([name, value]) => (isList(value) ? [[name, value]] : []))),
    };
    return { ok: true, flags };
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error;
    return { ok: false, message: error.message };
  }
}

/** The error of parseArgs; rewritten if a flag is unknown, or if a value is missing or begins with a dash. */
export function describeMistake(message: string, command: Command): string {
  const [, unknown] = /^Unknown option '(-[^']*)'/.exec(message) ?? [];
  if (unknown !== undefined) {
    const close = didYouMean(
      unknown,
      Object.keys(flagsOf(command)).map((name) => `--${name}`),
    );
    return `there is no flag ${unknown}${close === undefined ? '' : `; ${close}`}`;
  }
  const [, first, last = first, how] =
    /^Option '-*([\w-]+)(?:, --([\w-]+))?[^']*' argument (is ambiguous|missing)/.exec(message) ?? [];
  const found = Object.entries(flagsOf(command)).find(([name, { short }]) => last === name || last === short);
  if (last === undefined || found === undefined) return message.split('. ', 1)[0] ?? message;
  const [name, { short, value = 'VALUE', summary }] = found;
  const written = last === short ? `-${short}` : `--${name}`;
  return `${written} takes ${value}${how === 'missing' ? '' : ', which cannot begin with a dash'}: ${summary}`;
}
