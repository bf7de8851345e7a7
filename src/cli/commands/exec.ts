// `exec`: runs a command beside a service, and passes its output and exit code on.
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { reportNoSupervisor, reportRefusal, reportUsage, streamFromSupervisor } from '../request.ts';

const USAGE = 'svc-super exec NAME -- CMD [ARG...]';

export default {
  summary: 'run a command with the environment, user and folder of a service, with standard input or a terminal',
  usage: USAGE,
  example: 'svc-super exec postgres -- psql -c "select 1"',
  connects: true,
  completes: { first: 'services' },
  flags: {},
  run: runBeside,
} satisfies Command;

async function runBeside(context: CommandContext, { positionals }: GivenFlags): Promise<number> {
  const [service, ...argv] = positionals;
  if (service === undefined || argv.length === 0)
    return reportUsage(context, 'exec needs a service name and a command', USAGE);
  const path = `/v1/services/${encodeURIComponent(service)}/exec`;
  const { execTerminal: terminal, execStdin: stdin, pidNamespace: namespace, environment } = context;
  const streams =
    terminal !== null
      ? { terminal, namespace, term: environment.TERM ?? 'dumb' }
      : stdin !== null
        ? { stdin, namespace }
        : {};
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
