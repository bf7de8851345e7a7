// The commands that change something or wait for it: start, stop, restart, signal, reload, wait.
import { parseDuration } from '../config/quantity.ts';
import type { StatusBody } from '../control/api.ts';
import { select } from '../control/selection.ts';
import type { Change } from '../control/source.ts';
import type { Progress } from '../control/waiting.ts';
import type { Operation } from '../core/event.ts';
import { printable } from '../text.ts';
import { query, question, questionLines, reportNoSupervisor, reportRefusal, reportUsage } from './asking.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { renderJson } from './json.ts';
import { ProgressLine } from './progress.ts';

export async function operate(
  context: CommandContext,
  operation: Operation,
  { values, positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  if (positionals.length === 0 && values.group === undefined && values.all !== true) {
    return reportUsage(context, `${operation} needs names, --group or --all`, usage);
  }
  const body = {
    services: positionals,
    ...(typeof values.group === 'string' && { group: values.group }),
    ...(values.all === true && { all: true }),
  };
  const asked = await question(context, { method: 'POST', path: `/v1/${operation}`, body });
  if (!asked.ok) return reportNoSupervisor(context, asked);
  if (asked.status !== 202) return reportRefusal(context, asked.body);
  const { services } = asked.body as { services: readonly string[] };
  if (values.wait !== true) {
    context.out(values.json === true ? renderJson(asked.body) : `asked to ${operation} ${services.join(', ')}\n`);
    return EXIT.ok;
  }
  const goal = operation === 'stop' ? 'stopped' : 'ready';
  const outcome = await waitFor(context, services, goal, null);
  if (typeof outcome === 'number') return outcome;
  if (values.json === true) context.out(renderJson({ operation, services, ...outcome }));
  else if (outcome.result === 'reached') context.out(`${goal}: ${services.join(', ')}\n`);
  return outcome.result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** A timeout is the supervisor's to report; after so many milliseconds more the client does, if that is stopped. */
const TIMEOUT_SLACK = 1_000;

/** The last word of a wait, failures told; or an exit code where it was cut short. */
async function waitFor(
  context: CommandContext,
  services: readonly string[],
  goal: 'ready' | 'stopped',
  timeout: number | null,
): Promise<Progress | number> {
  const line = new ProgressLine(context);
  const heard: { last: Progress | null } = { last: null };
  const until = timeout === null ? null : context.wall() + timeout;
  const ask = () => {
    const left = until === null ? undefined : Math.max(0, Math.round(until - context.wall()));
    return { path: `/v1/wait${query({ service: services, for: goal, timeout: left })}` };
  };
  const take = (value: unknown) => {
    heard.last = value as Progress;
    line.show(heard.last);
  };
  const abort = new AbortController();
  const cancel = timeout === null ? null : context.after(timeout + TIMEOUT_SLACK, () => abort.abort());
  const clear = () => line.clear();
  const streaming = { take, resume: ask, resumed: clear, delayed: clear, abort: abort.signal };
  const streamed = await questionLines(context, ask(), streaming, 'the wait goes on');
  cancel?.();
  line.clear();
  if (abort.signal.aborted) {
    context.err('svc-super: the timeout is over, and the supervisor does not answer\n');
    return EXIT.timeout;
  }
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  const { last } = heard;
  if (last === null || last.result === 'waiting') {
    if (goal === 'stopped') return EXIT.ok;
    context.err('svc-super: the supervisor has ended meanwhile\n');
    return EXIT.failed;
  }
  const why = last.result === 'timeout' ? last.waiting : last.failed;
  for (const { name, state, reason } of last.result === 'reached' ? [] : why) {
    context.err(`svc-super: ${printable(`${name} is ${state}${reason === null ? '' : `: ${reason}`}`)}\n`);
  }
  return last;
}

export async function wait(
  context: CommandContext,
  { values, positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  const goal = values.for ?? 'ready';
  if (goal !== 'ready' && goal !== 'stopped') return reportUsage(context, '--for is ready or stopped', usage);
  const timeout = readDuration(values.timeout);
  if (typeof timeout === 'string') return reportUsage(context, `--timeout: ${timeout}`, usage);
  const outcome = await waitFor(context, positionals, goal, timeout);
  if (typeof outcome === 'number') return outcome;
  if (values.json === true) context.out(renderJson(outcome));
  if (outcome.result === 'timeout') return EXIT.timeout;
  return outcome.result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** Milliseconds; null: none was given; a text: what to write instead. */
export function readDuration(value: string | boolean | undefined): number | null | string {
  if (typeof value !== 'string') return null;
  const parsed = parseDuration(value);
  return parsed.ok ? parsed.value : parsed.suggestion;
}

export async function signal(context: CommandContext, { positionals }: GivenFlags, usage: string): Promise<number> {
  const [name, ...wanted] = positionals;
  if (name === undefined || wanted.length === 0) return reportUsage(context, 'signal needs a signal and names', usage);
  const status = await question(context, { path: '/v1/status' });
  if (!status.ok) return reportNoSupervisor(context, status);
  const selected = select({ names: wanted }, (status.body as StatusBody).services, 'error');
  if (!selected.ok) return reportRefusal(context, selected);
  let code: number = EXIT.ok;
  for (const service of selected.names) {
    const path = `/v1/services/${encodeURIComponent(service)}/signal`;
    const asked = await question(context, { method: 'POST', path, body: { signal: name } });
    if (!asked.ok) return reportNoSupervisor(context, asked);
    if (asked.status !== 202) code = reportRefusal(context, asked.body);
  }
  return code;
}

interface ReloadBody {
  readonly applied: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
  readonly unchanged: readonly string[];
}

export async function reload(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const body = { dry_run: values['dry-run'] === true };
  const asked = await question(context, { method: 'POST', path: '/v1/reload', body });
  if (!asked.ok) return reportNoSupervisor(context, asked);
  if (asked.status === 422) {
    const { text } = asked.body as { text: string };
    if (values.json === true) context.out(renderJson(asked.body));
    context.err(`${text}svc-super: nothing was changed\n`);
    return EXIT.config;
  }
  if (asked.status !== 200) return reportRefusal(context, asked.body);
  context.out(values.json === true ? renderJson(asked.body) : renderReload(asked.body as ReloadBody));
  return EXIT.ok;
}

export function renderReload({ applied, added, removed, changed, unchanged }: ReloadBody): string {
  const lines = [
    ...added.map((name) => `+ ${name}: starts`),
    ...changed.map(({ name, fields, restarts }) => `~ ${name}: ${fields.join(', ')}${restarts ? ': restarts' : ''}`),
    ...removed.map((name) => `- ${name}: stops`),
  ];
  if (lines.length === 0) return 'nothing has changed\n';
  const rest = unchanged.length === 0 ? '' : `; ${unchanged.length} unchanged`;
  return `${lines.join('\n')}\n${applied ? 'applied' : 'not applied: this was a dry run'}${rest}\n`;
}
