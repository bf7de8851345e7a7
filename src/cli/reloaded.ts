// A change of the configuration, by `reload` or `scale`: the request, and the difference as text. The supervisor computes the
// difference.
import type { Change, ReloadAction, ScaleOutcome } from '../control/source.ts';
import { printable, renderCount } from '../text.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { renderJson } from './json.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from './request.ts';

/** The response: names of services by what happens to them. `idle`: those of `added` that do not start. */
export interface ReloadBody {
  readonly applied: boolean;
  readonly added: readonly string[];
  readonly idle: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
  readonly unchanged: readonly string[];
  readonly scale: readonly ScaleOutcome[];
}

const ACTIONS: Readonly<Record<ReloadAction, string>> = {
  starts: 'starts',
  restarts: 'restarts',
  stops: 'stops',
  'in-place': 'takes effect without a restart',
  'next-start': 'takes effect at its next start',
};

/** Requests a change. Resolves to the difference, or to the exit code of a failure, which is reported. */
export async function requestChange(
  context: CommandContext,
  path: string,
  body: Readonly<Record<string, unknown>>,
  { json }: GivenFlags['values'],
): Promise<ReloadBody | number> {
  const response = await callSupervisor(context, { method: 'POST', path, body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status === 422) {
    const { text, error } = response.body as { readonly text: string; readonly error: string };
    if (json === true) context.out(renderJson(response.body));
    context.err(`${text}svc-super: ${error}\n`);
    return EXIT.config;
  }
  if (response.status !== 200) return reportRefusal(context, response.body);
  return response.body as ReloadBody;
}

/** Prints the difference as text, or as JSON with `--json`. */
export function printChange(context: CommandContext, difference: ReloadBody, { json }: GivenFlags['values']): void {
  context.out(json === true ? renderJson(difference) : renderReload(difference));
}

/** For each service: the fields that change, with the old and the new value, and whether it starts, restarts or stops. */
export function renderReload({ applied, added, idle, removed, changed, unchanged, scale }: ReloadBody): string {
  const lines = [
    ...added.map((name) => `+ ${name}: ${idle.includes(name) ? 'does not start by itself' : 'starts'}`),
    ...changed.flatMap(({ name, fields, changes, action }) => [
      `~ ${name}: ${fields.join(', ')}`,
      ...changes.map(({ field, from, to }) => `    ${field}: ${shown(from)} → ${shown(to)}`),
      `    ${ACTIONS[action]}`,
    ]),
    ...removed.map((name) => `- ${name}: stops`),
  ];
  const scaled = scale.map(renderOutcome).join('');
  if (lines.length === 0) return `${scaled}nothing has changed\n`;
  const rest = unchanged.length === 0 ? '' : `; ${unchanged.length} unchanged`;
  return `${scaled}${lines.join('\n')}\n${applied ? 'applied' : 'not applied: this was a dry run'}${rest}\n`;
}

function shown(value: string | null): string {
  return value === null ? 'none' : printable(value);
}

/** Whether the replica count set by `scale` still applies. */
function renderOutcome({ name, replicas, file, kept }: ScaleOutcome): string {
  const count = renderCount(replicas, 'replica');
  if (kept) return `= ${name}: ${count}, set by \`scale\`; the file has ${file}\n`;
  const apply = replicas === 1 ? 'applies' : 'apply';
  return file === null
    ? `= ${name}: no longer in the file; the ${count} set by \`scale\` no longer ${apply}\n`
    : `= ${name}: ${renderCount(file, 'replica')}, as the file has changed; the ${replicas} set by \`scale\` no longer ${apply}\n`;
}
