// `exec`: runs a command with the environment, user and folder of a service, prints its output and exits with its code.

import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { runInService } from '../run-in-service.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super exec NAME -- CMD [ARG...]';

export default {
  summary: 'run a command with the environment, user and folder of a service, with standard input or a terminal',
  usage: USAGE,
  example: 'svc-super exec postgres -- psql -c "select 1"',
  connects: true,
  completes: { first: 'services' },
  flags: {},
  run: runCommand,
} satisfies Command;

async function runCommand(context: CommandContext, { positionals }: GivenFlags): Promise<number> {
  const [service, ...argv] = positionals;
  if (service === undefined || argv.length === 0)
    return reportUsage(context, 'exec needs a service name and a command', USAGE);
  return runInService(context, service, argv);
}
