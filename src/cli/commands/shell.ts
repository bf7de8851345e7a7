// `shell`: an interactive shell with the environment, user and folder of a service: `exec` with bash, or with sh if the image has no
// bash.

import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { runInService } from '../run-in-service.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super shell NAME';

/**
 * Becomes bash if it is in the PATH of the service, else sh. No login shell: /etc/profile would replace the PATH of the service.
 * SHELL is set because editors, tmux and psql start that program as a shell.
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
  return runInService(context, service, ['/bin/sh', '-c', FIND_SHELL]);
}
