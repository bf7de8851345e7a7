// Waits until services are ready or have stopped, and shows the progress: for `wait` and for `--wait`.
import type { Progress } from '../control/waiting.ts';
import { printable } from '../text.ts';
import { type CommandContext, EXIT } from './command.ts';
import { ProgressLine } from './progress.ts';
import { isRemote, query, reportNoSupervisor, reportRefusal, streamFromSupervisor } from './request.ts';

/** How long after the timeout the client gives up if the supervisor has not reported it, milliseconds. */
const TIMEOUT_SLACK = 1_000;

/** `gone`: at least one of the services has been forgotten, or all have stopped. The caller asks which are left. */
type Goal = 'ready' | 'stopped' | 'gone';

const REACHED: Progress = { result: 'reached', waiting: [], failed: [], failed_starts: [] };

/** Characters of names in one request: its head may have 16 KiB. */
const NAMES_IN_A_REQUEST = 8_000;

/**
 * Waits, and prints the services that failed or that are not ready at the timeout. Resolves to the last progress, or to an exit code if
 * there is no result. `timeout`: milliseconds; null: none. Many names are waited for in several requests, one after the other.
 */
export async function awaitServices(
  context: CommandContext,
  services: readonly string[],
  goal: Goal,
  timeout: number | null,
): Promise<Progress | number> {
  const until = timeout === null ? null : context.wall() + timeout;
  const parts = splitNames(services);
  for (const [at, part] of parts.entries()) {
    const left = until === null ? null : Math.max(0, until - context.wall());
    const progress = await awaitPart(context, part, goal, left);
    if (typeof progress === 'number' || progress.result !== 'reached' || at === parts.length - 1) return progress;
  }
  throw new Error('there is one part at least');
}

/** The names in parts that fit into one request each; no names are one part. */
export function splitNames(names: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = [[]];
  let size = 0;
  for (const name of names) {
    const length = encodeURIComponent(name).length + '&service='.length;
    if (size > 0 && size + length > NAMES_IN_A_REQUEST) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(name);
    size += length;
  }
  return parts;
}

async function awaitPart(
  context: CommandContext,
  services: readonly string[],
  goal: Goal,
  timeout: number | null,
): Promise<Progress | number> {
  const line = new ProgressLine(context, { hasTimeout: timeout !== null });
  const received: { last: Progress | null } = { last: null };
  const until = timeout === null ? null : context.wall() + timeout;
  const nextRequest = () => {
    const left = until === null ? undefined : Math.max(0, Math.round(until - context.wall()));
    const state = goal === 'gone' ? 'stopped' : goal;
    return { path: `/v1/wait${query({ service: services, for: state, timeout: left })}` };
  };
  const take = (value: unknown) => {
    received.last = value as Progress;
    line.show(received.last);
  };
  const abort = new AbortController();
  const cancel = timeout === null ? null : context.after(timeout + TIMEOUT_SLACK, () => abort.abort());
  const clear = () => line.clear();
  const isComplete = () => received.last !== null && received.last.result !== 'waiting';
  const streaming = { take, isComplete, resume: nextRequest, resumed: clear, delayed: clear, abort: abort.signal };
  const streamed = await streamFromSupervisor(context, nextRequest(), streaming, 'the wait continues');
  cancel?.();
  line.clear();
  if (abort.signal.aborted) {
    context.err('svc-super: the timeout is over, and the supervisor does not respond\n');
    return EXIT.timeout;
  }
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  // A service that has been removed from the configuration is forgotten once it has stopped. The others of `services` may still stop.
  if (streamed.status === 404 && goal === 'gone') return REACHED;
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  const { last } = received;
  if (last === null || last.result === 'waiting') {
    // Over TCP the network may have broken, or no supervisor listens because the next one is about to start.
    if (isRemote(context)) {
      const what = goal === 'ready' ? 'are ready' : 'have stopped';
      context.err(
        `svc-super: the connection broke, and no supervisor responds: it is not known whether the services ${what}\n`,
      );
      return EXIT.noSupervisor;
    }
    // A supervisor ends after all services have stopped.
    if (goal !== 'ready') return EXIT.ok;
    context.err('svc-super: the supervisor has ended before the services were ready\n');
    return EXIT.failed;
  }
  const why = last.result === 'timeout' ? last.waiting : last.failed;
  for (const service of last.result === 'reached' ? [] : why) context.err(`svc-super: ${describeState(service)}\n`);
  return last;
}

/** The exit code for the result of a wait. */
export function waitExitCode({ result }: Progress): number {
  if (result === 'timeout') return EXIT.timeout;
  return result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** `web is failed: exited with code 1`. */
export function describeState({ name, state, reason }: Progress['failed'][number]): string {
  return printable(`${name} is ${state === 'backoff' ? 'in backoff' : state}${reason === null ? '' : `: ${reason}`}`);
}
