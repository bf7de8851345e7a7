// `top`: shows all services on the whole screen, with their logs; keys start, stop and restart them. Decides only whether the terminal
// is able to show that; cli/top/ does the rest.
import { type Command, type CommandContext, EXIT } from '../command.ts';

export default {
  summary:
    'show all services on the whole screen, by keyboard and mouse: state, CPU, memory, logs, start, stop, restart',
  usage: 'svc-super top',
  example: 'docker exec -it CONTAINER svc-super top',
  connects: true,
  flags: {},
  run: showTop,
} satisfies Command;

async function showTop(context: CommandContext): Promise<number> {
  const why = whyUnable(context);
  if (why !== null) {
    context.err(`svc-super: top ${why}. \`svc-super status --watch\` works everywhere\n`);
    return EXIT.usage;
  }
  const [{ runTop }, terminal] = await Promise.all([import('../top/run.ts'), context.openScreen()]);
  return runTop(context, terminal);
}

/** Why `top` cannot use the whole screen; null: it can. */
function whyUnable({ terminal, environment, hasInputTerminal }: CommandContext): string | null {
  if (terminal.out === null || !hasInputTerminal)
    return 'needs a terminal for its input and output: `docker exec -it`, `kubectl exec -it`, `ssh -t`';
  if (environment.TERM === 'dumb') return 'needs a terminal that can move its cursor, and TERM is dumb';
  return null;
}
