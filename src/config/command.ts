// Commands, and the texts that name things: services, groups, variables, paths. What they have in common is that they
// reach exec, so no NUL may be in them.
import { byKind, listOf, refined, type Shape, text } from './shape.ts';

/** A text for `/bin/sh -c`, or an argument vector. */
export type Command = string | readonly string[];

/** Names of services and groups. They appear in URLs, prefixes, host names, environment variables. */
export const NAME = { pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, wanted: 'a name' } as const;
export const NAME_RULE = 'letters, digits, `_`, `.` and `-`, at most 63, beginning with a letter or digit';

/** The argument vector that a command comes to. */
export function toArgv(command: Command): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
}

/** A command: variables in the text form are left to the shell. */
export function command(): Shape<Command> {
  const wanted = 'a command line, or a list of a program and its arguments';
  const line = refined(text({ wanted, raw: true }), (value, node, name, reading) =>
    value.trim() === '' ? reading.report(node, 'empty-value', `${name} is empty: it must be ${wanted}`) : value,
  );
  const words = refined(
    listOf(text({ wanted: 'a text', loose: true, empty: true }), { wanted, least: 1 }),
    (value, node, name, reading) =>
      value[0] === ''
        ? reading.report(node, 'empty-value', `${name} begins with an empty text: it must name a program`)
        : value,
  );
  return byKind<string, readonly string[]>(wanted, { scalar: line, list: words });
}

/** The name of a group. */
export function groupName(): Shape<string> {
  return text({ wanted: `a name (${NAME_RULE})`, pattern: NAME.pattern });
}
