// Reads what `up` is to supervise. With it comes everything that reads YAML and knows the schema. Part of the root.
import { type Diagnostic, type Failure, renderDiagnostics } from '../config/diagnostic.ts';
import { type LoadInput, loadPlan } from '../plan/expand.ts';
import type { Plan } from '../plan/plan.ts';
import { printable } from '../text.ts';

/** What a configuration has been found to say. */
export interface Prepared {
  readonly plan: Plan;
  /** What is doubtful in it, a sentence each. */
  readonly doubts: readonly string[];
}

/** The plan, or the text to print. */
export function prepare(input: LoadInput): ({ readonly ok: true } & Prepared) | { readonly ok: false; text: string } {
  const loaded = loadPlan(input);
  if (!loaded.ok) return { ok: false, text: renderRefusal(loaded.error, input.path) };
  return { ok: true, plan: loaded.value.plan, doubts: loaded.value.warnings.map(renderDoubt) };
}

/** What is doubtful but not wrong in the configuration, in one line. */
export function renderDoubt({ file, range, message, suggestion }: Diagnostic): string {
  const advice = suggestion === undefined ? '' : ` (${suggestion})`;
  return printable(`${file}:${range.line}:${range.column}: ${message}${advice}`);
}

/** A name on the command line that nothing bears is no mistake of the file's, and no place in it is shown. */
function renderRefusal(failure: Failure, file: string): string {
  const { diagnostics } = failure;
  if (diagnostics.some(({ code }) => code !== 'unknown-service')) return renderDiagnostics(failure);
  const lines = diagnostics.map(
    ({ message, suggestion }) =>
      `svc-super: ${printable(`${message} in ${file}${suggestion === undefined ? '' : `; ${suggestion}`}`)}\n`,
  );
  return `${lines.join('')}svc-super: nor is it a command; svc-super help lists them\n`;
}
