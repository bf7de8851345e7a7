// Reads the configuration for `up`. Importing this file loads everything that reads YAML and the schema.
import { COMMANDS } from '../cli/table.ts';
import { type Diagnostic, type Failure, renderDiagnostics } from '../config/diagnostic.ts';
import { didYouMean } from '../config/nearest.ts';
import { type LoadInput, loadPlan } from '../plan/expand.ts';
import type { Plan } from '../plan/plan.ts';
import { printable } from '../text.ts';

/** The plan of a valid configuration. */
export interface Prepared {
  readonly plan: Plan;
  /** Warnings about the configuration, one line each. */
  readonly doubts: readonly string[];
}

/** Returns the plan, or the error message to print. */
export function prepare(input: LoadInput): ({ readonly ok: true } & Prepared) | { readonly ok: false; text: string } {
  const loaded = loadPlan(input);
  if (!loaded.ok) return { ok: false, text: renderRefusal(loaded.error, input) };
  return { ok: true, plan: loaded.value.plan, doubts: loaded.value.warnings.map(renderDoubt) };
}

/** A warning about the configuration, in one line. */
export function renderDoubt({ file, range, message, suggestion }: Diagnostic): string {
  const advice = suggestion === undefined ? '' : ` (${suggestion})`;
  return printable(`${file}:${range.line}:${range.column}: ${message}${advice}`);
}

/** Errors of the command line: an unknown service or profile. */
const OF_COMMAND_LINE = ['unknown-name', 'unknown-profile'];

/** An error of the command line is not one of the file, so no line of the file is shown. */
function renderRefusal(failure: Failure, { path, names = [] }: LoadInput): string {
  const { diagnostics } = failure;
  if (diagnostics.some(({ code, severity }) => severity === 'error' && !OF_COMMAND_LINE.includes(code)))
    return renderDiagnostics(failure);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const lines = errors.map(
    ({ message, suggestion }) =>
      `svc-super: ${printable(`${message} in ${path}${suggestion === undefined ? '' : `; ${suggestion}`}`)}\n`,
  );
  // `svc-super WORD` starts the service WORD, unless WORD is a command.
  const [first = ''] = names;
  if (!errors.some(({ code, message }) => code === 'unknown-name' && message.includes(`\`${first}\``)))
    return lines.join('');
  if (Object.hasOwn(COMMANDS, first))
    return `${lines.join('')}svc-super: \`${first}\` is a command only as the first word: \`svc-super ${first} ...\`\n`;
  const close = didYouMean(first, Object.keys(COMMANDS));
  const other = `\`svc-super help\` lists the commands${close === undefined ? '' : `; ${close}`}`;
  return `${lines.join('')}svc-super: \`${printable(first)}\` is not a command either; ${other}\n`;
}
