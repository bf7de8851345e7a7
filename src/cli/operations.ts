// The commands that change services or wait for them: start, stop, restart, signal, reload, wait.
import { parseDuration } from '../config/quantity.ts';
import type { StatusBody } from '../control/api.ts';
import { select } from '../control/selection.ts';
import type { Change } from '../control/source.ts';
import type { Progress } from '../control/waiting.ts';
import type { Operation } from '../core/event.ts';
import { printable } from '../text.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { renderJson } from './json.ts';
import { ProgressLine } from './progress.ts';
import {
  callSupervisor,
  query,
  reportNoSupervisor,
  reportRefusal,
  reportUsage,
  streamFromSupervisor,
} from './request.ts';

export async function runOperation(
  context: CommandContext,
  operation: Operation,
  { values, positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  if (positionals.length === 0 && values.group === undefined && values.all !== true) {
    return reportUsage(context, `${operation} needs service names, --group or --all`, usage);
  }
  const body = {
    services: positionals,
    ...(typeof values.group === 'string' && { group: values.group }),
    ...(values.all === true && { all: true }),
  };
  const response = await callSupervisor(context, { method: 'POST', path: `/v1/${operation}`, body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status !== 202) return reportRefusal(context, response.body);
  const { services } = response.body as { services: readonly string[] };
  if (values.wait !== true) {
    context.out(values.json === true ? renderJson(response.body) : `requested ${operation}: ${services.join(', ')}\n`);
    return EXIT.ok;
  }
  const goal = operation === 'stop' ? 'stopped' : 'ready';
  const outcome = await waitFor(context, services, goal, null);
  if (typeof outcome === 'number') return outcome;
  if (values.json === true) context.out(renderJson({ operation, services, ...outcome }));
  else if (outcome.result === 'reached') context.out(`${goal}: ${services.join(', ')}\n`);
  return outcome.result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** The supervisor reports a timeout. If it does not, the client does after this time, milliseconds. */
const TIMEOUT_SLACK = 1_000;

/** The last progress line of a wait, after its failures are printed; or an exit code if the wait was interrupted. */
async function waitFor(
  context: CommandContext,
  services: readonly string[],
  goal: 'ready' | 'stopped',
  timeout: number | null,
): Promise<Progress | number> {
  const line = new ProgressLine(context);
  const received: { last: Progress | null } = { last: null };
  const until = timeout === null ? null : context.wall() + timeout;
  const nextRequest = () => {
    const left = until === null ? undefined : Math.max(0, Math.round(until - context.wall()));
    return { path: `/v1/wait${query({ service: services, for: goal, timeout: left })}` };
  };
  const take = (value: unknown) => {
    received.last = value as Progress;
    line.show(received.last);
  };
  const abort = new AbortController();
  const cancel = timeout === null ? null : context.after(timeout + TIMEOUT_SLACK, () => abort.abort());
  const clear = () => line.clear();
  const streaming = { take, resume: nextRequest, resumed: clear, delayed: clear, abort: abort.signal };
  const streamed = await streamFromSupervisor(context, nextRequest(), streaming, 'the wait continues');
  cancel?.();
  line.clear();
  if (abort.signal.aborted) {
    context.err('svc-super: the timeout is over, and the supervisor does not respond\n');
    return EXIT.timeout;
  }
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  const { last } = received;
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

/** Milliseconds; null: no value; a text: what to write instead. */
export function readDuration(value: string | boolean | undefined): number | null | string {
  if (typeof value !== 'string') return null;
  const parsed = parseDuration(value);
  return parsed.ok ? parsed.value : parsed.suggestion;
}

export async function signalServices(
  context: CommandContext,
  { positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  const [name, ...wanted] = positionals;
  if (name === undefined || wanted.length === 0)
    return reportUsage(context, 'signal needs a signal and service names', usage);
  const status = await callSupervisor(context, { path: '/v1/status' });
  if (!status.ok) return reportNoSupervisor(context, status);
  const selected = select({ names: wanted }, (status.body as StatusBody).services, 'error');
  if (!selected.ok) return reportRefusal(context, selected);
  let code: number = EXIT.ok;
  for (const service of selected.names) {
    const path = `/v1/services/${encodeURIComponent(service)}/signal`;
    const response = await callSupervisor(context, { method: 'POST', path, body: { signal: name } });
    if (!response.ok) return reportNoSupervisor(context, response);
    if (response.status !== 202) code = reportRefusal(context, response.body);
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

export async function requestReload(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const body = { dry_run: values['dry-run'] === true };
  const response = await callSupervisor(context, { method: 'POST', path: '/v1/reload', body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status === 422) {
    const { text } = response.body as { text: string };
    if (values.json === true) context.out(renderJson(response.body));
    context.err(`${text}svc-super: nothing was changed\n`);
    return EXIT.config;
  }
  if (response.status !== 200) return reportRefusal(context, response.body);
  context.out(values.json === true ? renderJson(response.body) : renderReload(response.body as ReloadBody));
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
