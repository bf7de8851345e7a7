// `shell`: an interactive shell with the environment, user and folder of a service. The same as `exec` with the best shell that the image has.
import { runBeside } from '../beside.ts';
import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { reportUsage } from '../request.ts';

const USAGE = 'svc-super shell NAME';

/**
 * bash if the PATH of the service has it, else sh. Not a login shell: /etc/profile would replace the PATH of the service.
 * SHELL is what editors, tmux and psql start.
 */
const FIND_SHELL = 'SHELL=$(command -v bash) || SHELL=/bin/sh; export SHELL; exec "$SHELL"';

export default {
  summary: 'open a shell with the environment, user and folder of a service: bash, or sh where there is no bash',
  usage: USAGE,
  example: 'svc-super shell web',
  connects: true,
  completes: { first: 'services' },
  flags: {},
  run: openShell,
} satisfies Command;

async function openShell(context: CommandContext, { positionals }: GivenFlags): Promise<number> {
  const [service, ...others] = positionals;
  if (service === undefined) return reportUsage(context, 'shell needs a service name', USAGE);
  if (others.length > 0)
    return reportUsage(context, 'shell takes one service name; run a command with `svc-super exec NAME -- CMD`', USAGE);
  return runBeside(context, service, ['/bin/sh', '-c', FIND_SHELL]);
}
