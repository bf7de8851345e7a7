// The reference of all commands in Markdown: docs/commands.md. Not in the product. Pure.
import { type Commands, describeFlags } from './help.ts';

export function renderReference(commands: Commands, exits: string): string {
  const parts = Object.entries(commands).map(([name, command]) => {
    const rows = describeFlags(command).map(
      ([left, right]) => `| \`${left.trim()}\` | ${right.replaceAll('|', '\\|')} |`,
    );
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
    '# Commands\n\nGenerated from the files of `src/cli/commands/`; `svc-super help COMMAND` prints the same.\n';
  return [head, ...parts, exits].join('\n');
}

export const EXIT_CODES = `## Exit codes

| code | meaning |
| --- | --- |
| 0 | success |
| 1 | failure: an operation failed, a condition cannot be met, no service has that name |
| 3 | \`status\`: not all selected services are ready |
| 64 | the command line is invalid, or several supervisors respond and \`--socket\` selects none |
| 69 | no supervisor responds; the searched places are printed. \`exec\`: the supervisor ended, and the command with it |
| 70 | \`up\`: supervisors died again and again, and all services were stopped; otherwise a bug in svc-super |
| 78 | the configuration is invalid (\`up\`, \`check\`, \`reload\`), or \`/proc\` is not mounted |
| 124 | \`wait\`: the timeout is over |
| 127 | \`svc-super-supervisor\` is not in the folder of \`svc-super\`, or cannot be executed |

\`exec\` and \`init\` exit with the code of the command they run, \`up\` with that of the container. The options of \`init\` are
in [init.md](init.md).

## When the supervisor is restarted

PID 1 starts the next supervisor when one dies, and the services continue to run. A command whose connection breaks connects again and
repeats its request, for up to 2 s; no operation is carried out twice. If no supervisor responds in that time, or if one does
not respond for 5 s, the exit code is 69 (\`health\`: 1).

- \`logs -f\`, \`events -f\`, \`status --watch\`, \`wait\` and \`--wait\` continue with the next supervisor after any time, and print a
  line on standard error. Lines of the last second before the restart may be missing from \`logs -f\`; \`events -f\` is complete.
- The command of \`exec\` is ended; \`exec\` prints that, exits with 69, and does not run it again.
- \`status\` prints a line with the number of restarts, and when and why the last one happened.
`;
