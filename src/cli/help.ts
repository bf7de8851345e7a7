// The help of a command, and the commands that a table loads. Pure.
import type { Command, CommandTable } from './command.ts';
import { flagsOf } from './flags.ts';

export type Commands = Readonly<Record<string, Command>>;

/** Loads all commands of a table. */
export async function loadCommands(table: CommandTable): Promise<Commands> {
  const load = async ([name, one]: readonly [string, CommandTable[string]]) => [name, (await one()).default] as const;
  return Object.fromEntries(await Promise.all(Object.entries(table).map(load)));
}

/** Each flag as it is written, and its summary. */
export function describeFlags(command: Command): readonly (readonly [string, string])[] {
  return Object.entries(flagsOf(command)).map(([name, { type, short, value = 'VALUE', summary }]) => {
    const brief = short === undefined ? '    ' : `-${short}, `;
    return [`${brief}--${name}${type === 'string' ? ` ${value}` : ''}`, summary] as const;
  });
}

export function renderCommandHelp(command: Command): string {
  const { summary, usage, example } = command;
  const rows = describeFlags(command);
  const width = Math.max(...rows.map(([left]) => left.length));
  const options = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${summary}\n\nusage: ${usage}\n\n${options.join('\n')}\n\nexample: ${example}\n`;
}
