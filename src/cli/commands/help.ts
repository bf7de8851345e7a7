// `help`: explains one command, or lists all. Sends no request.
import { printable } from '../../text.ts';
import { type Command, type CommandContext, type CommandTable, EXIT, type GivenFlags } from '../command.ts';
import { type Commands, loadCommands, renderCommandHelp } from '../help.ts';

export default {
  summary: 'explain a command',
  usage: 'svc-super help [COMMAND]',
  example: 'svc-super help status',
  completes: 'commands',
  flags: {},
  run: explain,
} satisfies Command;

async function explain(
  context: CommandContext,
  { positionals: [name = ''] }: GivenFlags,
  table: CommandTable,
): Promise<number> {
  const load = Object.hasOwn(table, name) ? table[name] : undefined;
  if (load === undefined && name !== '') {
    const { didYouMean } = await import('../../config/nearest.ts');
    const close = didYouMean(name, Object.keys(table)) ?? 'see `svc-super help`';
    context.err(`svc-super: there is no command ${printable(name)}; ${close}\n`);
    return EXIT.usage;
  }
  context.out(load === undefined ? renderHelp(await loadCommands(table)) : renderCommandHelp((await load()).default));
  return EXIT.ok;
}

function renderHelp(commands: Commands): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'svc-super: a process supervisor for containers that run more than one service',
    '',
    'usage: svc-super [COMMAND] [OPTION...]',
    '',
    ...lines,
    '',
    'svc-super help COMMAND explains one command.',
    '',
  ].join('\n');
}
