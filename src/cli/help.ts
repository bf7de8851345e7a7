// Help, from the table of commands: for the terminal, and the reference in Markdown (docs/commands.md). Pure.
import type { Command, Flag } from './command.ts';

type Commands = Readonly<Record<string, Command>>;

export const HELP = { type: 'boolean', short: 'h', summary: 'show this help' } as const satisfies Flag;

export function renderHelp(commands: Commands): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'svc-super: a process supervisor for containers that run more than one service',
    '',
    'usage: svc-super [COMMAND] [OPTION...]',
    '',
    ...lines,
    '',
    'svc-super help COMMAND explains one of them.',
    '',
  ].join('\n');
}

function rowsOf({ flags }: Command): readonly (readonly [string, string])[] {
  const all: Readonly<Record<string, Flag>> = { ...flags, help: HELP };
  return Object.entries(all).map(([name, { type, short, value = 'VALUE', summary }]) => {
    const brief = short === undefined ? '    ' : `-${short}, `;
    return [`${brief}--${name}${type === 'string' ? ` ${value}` : ''}`, summary] as const;
  });
}

export function renderCommandHelp(command: Command): string {
  const { summary, usage, example } = command;
  const rows = rowsOf(command);
  const width = Math.max(...rows.map(([left]) => left.length));
  const options = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${summary}\n\nusage: ${usage}\n\n${options.join('\n')}\n\nexample: ${example}\n`;
}

export function renderReference(commands: Commands, exits: string): string {
  const parts = Object.entries(commands).map(([name, command]) => {
    const rows = rowsOf(command).map(([left, right]) => `| \`${left.trim()}\` | ${right.replaceAll('|', '\\|')} |`);
    const { summary, usage, example } = command;
    return [
      `## ${name}`,
      '',
      `${summary[0]?.toUpperCase()}${summary.slice(1)}.`,
      '',
      '```text',
      usage,
      '```',
      '',
      '| option | meaning |',
      '| --- | --- |',
      ...rows,
      '',
      `Example: \`${example}\``,
      '',
    ].join('\n');
  });
  const head =
    '# Commands\n\nMade from the table of commands in `src/commands.ts` and `src/cli/table.ts`; `svc-super help COMMAND` prints the same.\n';
  return [head, ...parts, exits].join('\n');
}

export const EXIT_CODES = `## Exit codes

| code | meaning |
| --- | --- |
| 0 | success |
| 1 | failure: an operation failed, a condition cannot be met, no service has that name |
| 3 | \`status\`: not everything asked for is ready |
| 64 | the command line is wrong, or several supervisors answer and \`--socket\` names none |
| 69 | no supervisor answers; the places that were searched are printed. \`exec\`: the supervisor ended, and the command with it |
| 70 | \`up\`: supervisors died again and again, and all services were stopped; else a bug in svc-super |
| 78 | the configuration is wrong (\`up\`, \`check\`, \`reload\`), or \`/proc\` is not mounted |
| 124 | \`wait\`: the timeout is over |
| 127 | \`svc-super-supervisor\` is not in the folder of \`svc-super\`, or cannot be executed |

\`exec\` and \`init\` exit with the code of the command they run, \`up\` with that of the container. The options of \`init\` are
in [init.md](init.md).

## When the supervisor is restarted

PID 1 starts the next supervisor when one dies, and the services go on. A command whose connection breaks connects again and
asks again, for up to 2 s; no operation is carried out twice. If no supervisor answers in that time, or if one that is there does
not answer for 5 s, the exit code is 69 (\`health\`: 1).

- \`logs -f\`, \`events -f\`, \`status --watch\`, \`wait\` and \`--wait\` go on with the next supervisor however long that takes, and print a
  line on standard error. Lines of the last second before the restart may be missing from \`logs -f\`; \`events -f\` is complete.
- The command of \`exec\` is ended; \`exec\` prints that, exits with 69, and does not run it again.
- \`status\` prints a line with the number of restarts, and when and why the last one happened.
`;
