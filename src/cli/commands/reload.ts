// `reload`: applies what has changed in the configuration, or only shows it.
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { type ReloadBody, renderReload } from '../reloaded.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';

export default {
  summary:
    'read the configuration again and apply what has changed; an invalid file changes nothing; log files are reopened',
  usage: 'svc-super reload [--dry-run] [--json]',
  example: 'svc-super reload --dry-run',
  connects: true,
  flags: {
    'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference' },
    json: JSON_FLAG,
  },
  run: requestReload,
} satisfies Command;

async function requestReload(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const body = { dry_run: values['dry-run'] === true };
  const response = await callSupervisor(context, { method: 'POST', path: '/v1/reload', body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status === 422) {
    const { text } = response.body as { text: string };
    if (values.json === true) context.out(renderJson(response.body));
    context.err(`${text}svc-super: nothing was changed\n`);
    return EXIT.config;
  }
  if (response.status !== 200) return reportRefusal(context, response.body);
  context.out(values.json === true ? renderJson(response.body) : renderReload(response.body as ReloadBody));
  return EXIT.ok;
}
