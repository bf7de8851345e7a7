// The reference of services.yaml as Markdown, generated from the field tables. A test compares docs/reference.md with it.
// Nothing imports this file at run time.

import { LIMITS } from '../linux/limits.ts';
import { CONTROL, HTTP_CONTROL, TOKEN_FILE } from './control-values.ts';
import type { Field, Fields } from './field.ts';
import { ENV_FILE, ENV_FROM_FILE, INCLUDE } from './file-values.ts';
import { GPUS } from './gpu-values.ts';
import { BEFORE_STOP, HOOK, HOOKS } from './hook-values.ts';
import { HTTP, HTTP_JSON, NOTIFY, PROBE, TCP } from './probe-schema.ts';
import { BACKOFF, RESTART } from './restart-values.ts';
import { DEPENDENCY, LOG, LOG_FILE, SERVICE, STOP, TOP } from './schema.ts';
import { OWN_LOG, SUPERVISOR } from './supervisor-values.ts';

/** Every table of the schema with its heading, in the order of the reference. */
export const SECTIONS: readonly { readonly title: string; readonly fields: Fields }[] = [
  { title: 'Top level', fields: TOP },
  { title: 'A service', fields: SERVICE },
  { title: 'An entry of `depends_on`', fields: DEPENDENCY },
  { title: 'An entry of `include`', fields: INCLUDE },
  { title: 'A value of `env`', fields: ENV_FROM_FILE },
  { title: 'An entry of `env_file`', fields: ENV_FILE },
  { title: '`restart`', fields: RESTART },
  { title: '`restart.backoff`', fields: BACKOFF },
  { title: '`stop`', fields: STOP },
  { title: '`log` of a service', fields: LOG },
  { title: '`log.file` and `log.stderr_file`', fields: LOG_FILE },
  { title: '`hooks`', fields: HOOKS },
  { title: 'A hook', fields: HOOK },
  { title: '`hooks.before_stop`', fields: BEFORE_STOP },
  { title: '`gpus`', fields: GPUS },
  { title: 'A probe', fields: PROBE },
  { title: '`http`', fields: HTTP },
  { title: '`http.json`', fields: HTTP_JSON },
  { title: '`tcp`', fields: TCP },
  { title: '`notify`', fields: NOTIFY },
  { title: '`control`', fields: CONTROL },
  { title: '`control.http`', fields: HTTP_CONTROL },
  { title: '`control.http.token`', fields: TOKEN_FILE },
  { title: '`log` at the top level', fields: OWN_LOG },
  { title: '`supervisor`', fields: SUPERVISOR },
];

/** The tables of all fields as Markdown, ending with a newline. */
export function reference(): string {
  const tables = SECTIONS.map(({ title, fields }) =>
    [`### ${title}`, '', ...table(['field', 'meaning', 'default'], Object.entries(fields).map(row))].join('\n'),
  );
  const limits = Object.entries(LIMITS).map(([key, { unit, about }]) => [
    `\`${key}\``,
    about,
    unit === 'bytes' ? 'size, `0` or `unlimited`' : 'number or `unlimited`',
  ]);
  return `${[...tables, ['### `limits`', '', ...table(['limit', 'of what', 'value'], limits)].join('\n')].join('\n\n')}\n`;
}

function row([key, field]: [string, Field<unknown, unknown>]): readonly string[] {
  const { written, otherwise } = field;
  const shown =
    written === undefined ? otherwise : `\`${typeof written === 'string' ? written : JSON.stringify(written)}\``;
  return [`\`${key}\``, field.about, shown];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
