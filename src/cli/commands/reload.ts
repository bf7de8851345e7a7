// `reload`: requests that the supervisor reads its configuration again and applies what has changed, or only reports it. Reads no file.
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { printChange, requestChange } from '../reloaded.ts';

export default {
  summary:
    'read the configuration again and apply what has changed; an invalid file changes nothing; log files are reopened in both cases',
  usage: 'svc-super reload [--dry-run] [--json]',
  example: 'svc-super reload --dry-run',
  connects: true,
  flags: {
    'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference, and reopen no log files' },
    json: JSON_FLAG,
  },
  run: requestReload,
} satisfies Command;

async function requestReload(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const body = { dry_run: values['dry-run'] === true };
  const outcome = await requestChange(context, '/v1/reload', body, values);
  if (typeof outcome === 'number') return outcome;
  printChange(context, outcome, values);
  return EXIT.ok;
}
