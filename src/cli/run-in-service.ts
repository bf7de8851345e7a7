// Runs a command with the environment, user and folder of a service, for `exec` and `shell`: requests that, prints the output, and
// returns the exit code. Opens no terminal: the native program has opened one for the command (`execTerminal`).
import { printable } from '../text.ts';
import { type CommandContext, EXIT } from './command.ts';
import { reportNoSupervisor, reportRefusal, streamFromSupervisor } from './request.ts';

/** Resolves to the exit code of the command, or to that of a failure, which is reported. */
export async function runInService(context: CommandContext, service: string, argv: readonly string[]): Promise<number> {
  const path = `/v1/services/${encodeURIComponent(service)}/exec`;
  const { execTerminal: terminal, execStdin: stdin, pidNamespace: namespace, environment } = context;
  const onTerminal = terminal === null ? null : { terminal, namespace, term: environment.TERM ?? 'dumb' };
  const streams = onTerminal ?? (stdin === null ? {} : { stdin, namespace });
  let code: number | null = null;
  const take = (value: unknown) => {
    const line = value as { stream: 'stdout' | 'stderr'; data: string } | { exit: number; error?: string };
    if ('exit' in line) {
      code = line.exit;
      if (line.error !== undefined) context.err(`svc-super: ${printable(line.error)}\n`);
    } else (line.stream === 'stdout' ? context.out : context.err)(Buffer.from(line.data, 'base64'));
  };
  const request = { method: 'POST', path, body: { argv, ...streams } } as const;
  const streamed = await streamFromSupervisor(context, request, { take, kind: 'once' }, null);
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (code !== null) return code;
  context.err(
    'svc-super: the supervisor ended, and the command with it: its output may be incomplete. Run it again if that is safe\n',
  );
  return EXIT.noSupervisor;
}
