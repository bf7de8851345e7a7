// Writes the reference of all commands in Markdown, docs/commands.md. Used by the tests only, and not part of the product. Pure.
import { type Commands, describeFlags } from './help.ts';

/** The whole document; `exits`: the sections after the commands. */
export function renderReference(commands: Commands, exits: string): string {
  const parts = Object.entries(commands).map(([name, command]) => {
    const rows = describeFlags(command).map(([left, right]) => `| \`${inCell(left.trim())}\` | ${inCell(right)} |`);
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

/** A `|` would end the cell, even within backquotes. */
const inCell = (text: string): string => text.replaceAll('|', '\\|');

/** The sections after the commands: exit codes, other machines, restarts. */
export const EXIT_CODES = `## Exit codes

| code | meaning |
| --- | --- |
| 0 | success |
| 1 | failure: an operation failed, a condition cannot be met, no service has that name |
| 3 | \`status\`: not all selected services are ready |
| 64 | the command line is invalid, or several supervisors respond and \`--socket\` selects none |
| 69 | no supervisor responds; the searched places are printed. \`exec\`: the supervisor ended, and the command with it |
| 70 | \`up\`: supervisors died again and again, and all services were stopped; or no process or descriptor is left for svc-super itself; otherwise a bug in it |
| 75 | \`up\`: the GPU driver does not answer; a new container is needed |
| 77 | the supervisor at \`--url\` refuses the token, or this client (\`health\`: 1) |
| 78 | the configuration is invalid (\`up\`, \`check\`, \`reload\`, \`scale\`), GPUs are missing, \`/proc\` is not mounted, or Node is too old |
| 124 | the timeout of \`wait\` or \`--wait\` is over; \`up\`: \`start_timeout\` or \`start_stall\` ran out |
| 126 | \`exec\`, \`init\`: the command cannot be executed |
| 127 | \`exec\`, \`init\`: there is no such command; or \`svc-super-supervisor\` is not in the folder of \`svc-super\`, or cannot be executed |

\`exec\` and \`init\` exit with the code of the command they run, \`up\` with that of the container. The options of \`init\` are
in [init.md](init.md).

## A supervisor on another machine

With \`--url\` or \`SVC_SUPER_URL\`, a command that asks a supervisor does so over TCP. That supervisor needs [\`control.http\`](http.md),
with a token to accept more than reads.

\`\`\`sh
export SVC_SUPER_URL=http://10.0.0.5:9100 SVC_SUPER_TOKEN="$(cat control-token)"
svc-super status
svc-super logs -f vllm
\`\`\`

- \`--url\` takes precedence over \`SVC_SUPER_SOCKET\`, and \`--socket\` over \`SVC_SUPER_URL\`. \`up\`, \`check\` and the other commands
  that ask no supervisor ignore these variables.
- The listener has no TLS. Use a tunnel (\`ssh -L 9100:127.0.0.1:9100 HOST\`, then \`--url http://127.0.0.1:9100\`), or a proxy with
  \`https://\`. A path in the URL is put before the paths of the API. \`SSL_CERT_FILE\` names the certificates to trust instead of
  the usual ones.
- A host name must be in \`control.http.hosts\`. The addresses of the listener need no entry.
- \`exec\` gives the command no standard input and no terminal. Everything else is the same.

## When the supervisor is restarted

PID 1 starts the next supervisor when one dies, and the services continue to run. A command whose connection breaks connects again and
repeats its request, for up to 2 s; no operation is carried out twice. If no supervisor responds in that time, or if one does
not respond for 5 s, the exit code is 69 (\`health\`: 1).

- \`logs -f\`, \`events -f\`, \`status --watch\`, \`wait\` and \`--wait\` continue with the next supervisor after any time, and print a
  line on standard error. Lines of the last second before the restart may be missing from \`logs -f\`; \`events -f\` is complete.
- Over TCP (\`--url\`) nothing listens meanwhile: these commands too wait 2 s for the next supervisor, and then end: \`logs -f\` and
  \`events -f\` with 0, the others, which then have no result, with 69. A proxy that answers 502, 503 or 504 counts as nothing;
  one that closes a silent stream (nginx: \`proxy_read_timeout\`) only makes the command connect again.
- The command of \`exec\` is ended; \`exec\` prints that, exits with 69, and does not run it again.
- \`status\` prints a line with the number of restarts, and when and why the last one happened.
`;
