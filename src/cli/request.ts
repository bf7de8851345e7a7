// Requests to a supervisor, shared by all commands: sends the request, and reports that no supervisor responds or that it
// refused. Opens no sockets: control/client.ts does.
import {
  type ClientRequest,
  type NoSupervisor,
  type RequestResult,
  type Streaming,
  type StreamResult,
  sendRequest,
  streamRequest,
} from '../control/client.ts';
import { printable } from '../text.ts';
import { type CommandContext, EXIT } from './command.ts';

export function callSupervisor(context: CommandContext, request: ClientRequest): Promise<RequestResult> {
  const keyed = request.method === 'POST' ? { ...request, key: context.randomName() } : request;
  return sendRequest(context.dial(), keyed, context.after);
}

/**
 * Reports breaks. `what`: the end of the message that is printed when a successor responds; null: of a request that is never
 * repeated (`once`), whose break the caller reports.
 */
export function streamFromSupervisor(
  context: CommandContext,
  request: ClientRequest,
  streaming: Streaming,
  what: string | null,
): Promise<StreamResult> {
  const resumed = () => {
    streaming.resumed?.();
    if (what === null) return;
    if (isRemote(context)) context.err(`svc-super: the connection broke, and was made again: ${what}\n`);
    else reportRestart(context, what);
  };
  const delayed = () => {
    streaming.delayed?.();
    reportDelay(context);
  };
  return streamRequest(context.dial(), request, context.after, { ...streaming, resumed, delayed });
}

export function reportRestart(context: CommandContext, what: string): void {
  context.err(`svc-super: the supervisor was restarted: ${what}\n`);
}

/** Whether the supervisor is asked over TCP. Then a proxy or the network may break a connection, too. */
export function isRemote(context: CommandContext): boolean {
  const dial = context.dial();
  return dial.ok && dial.remote !== null;
}

/** Reports that no supervisor responds and that the command waits for one. */
export function reportDelay(context: CommandContext): void {
  context.err('svc-super: no supervisor responds at present: waiting for one\n');
}

/** Reports why no supervisor received the request; returns the exit code. */
export function reportNoSupervisor(context: CommandContext, { looked, found = [], refused }: NoSupervisor): number {
  if (refused !== undefined) {
    context.err(`svc-super: ${printable(refused)}\n`);
    return EXIT.denied;
  }
  if (found.length > 0) {
    const what =
      found.length > 1
        ? `${found.length} supervisors respond, and it is ambiguous which one is meant`
        : 'no supervisor of this Slurm job responds, and the others are not used';
    const list = found.map(({ path, pid }) => `  ${printable(path)} (pid ${pid})\n`).join('');
    context.err(`svc-super: ${what}: select one with --socket PATH or SVC_SUPER_SOCKET=PATH\n${list}`);
    return found.length > 1 ? EXIT.usage : EXIT.noSupervisor;
  }
  context.err(
    `svc-super: no supervisor responds; searched\n${looked.map((line) => `  ${printable(line)}\n`).join('')}`,
  );
  return EXIT.noSupervisor;
}

/** Reports why the supervisor refused; returns the exit code. */
export function reportRefusal(context: CommandContext, body: unknown): number {
  const error =
    body !== null && typeof body === 'object' && 'error' in body
      ? String(body.error)
      : 'the supervisor refused the request';
  context.err(`svc-super: ${printable(error)}\n`);
  return EXIT.failed;
}

export function query(
  parts: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
