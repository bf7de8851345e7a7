// `scale`: requests another number of replicas of services while they run. Writes no file.
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { printChange, type ReloadBody, requestChange } from '../reloaded.ts';
import { reportUsage } from '../usage.ts';
import { awaitServices } from '../waiting.ts';

const USAGE = 'svc-super scale NAME=N... [--dry-run] [--wait] [--json]';

export default {
  summary: 'change the number of replicas of services, until their `replicas` in the file changes',
  usage: USAGE,
  example: 'svc-super scale worker=5 --wait',
  connects: true,
  completes: 'services',
  flags: {
    'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference' },
    wait: { type: 'boolean', short: 'w', summary: 'wait until the new replicas are ready; exit code 1 if one fails' },
    json: JSON_FLAG,
  },
  run: scale,
} satisfies Command;

/** `NAME=N`. */
interface Wanted {
  readonly name: string;
  readonly replicas: number;
}

async function scale(context: CommandContext, { values, positionals }: GivenFlags): Promise<number> {
  if (positionals.length === 0) return reportUsage(context, 'scale needs NAME=N', USAGE);
  const wanted: Wanted[] = [];
  for (const word of positionals) {
    const found = /^(.+)=(\d{1,9})$/.exec(word);
    if (found === null)
      return reportUsage(context, `\`${word}\` is not NAME=N, the name of a service and a number of replicas`, USAGE);
    const name = found[1] ?? '';
    if (wanted.some((other) => other.name === name))
      return reportUsage(context, `${name} has two numbers of replicas`, USAGE);
    wanted.push({ name, replicas: Number(found[2]) });
  }
  const isDry = values['dry-run'] === true;
  // If one number is refused, none must be changed: of several, each is tried first.
  for (const one of wanted.length > 1 && !isDry ? wanted : []) {
    const outcome = await scaleOne(context, one, { isDry: true }, values);
    if (typeof outcome === 'number') return outcome;
  }
  const added: string[] = [];
  for (const one of wanted) {
    const outcome = await scaleOne(context, one, { isDry }, values);
    if (typeof outcome === 'number') return outcome;
    printChange(context, outcome, values);
    added.push(...outcome.added);
  }
  if (values.wait !== true || isDry || added.length === 0) return EXIT.ok;
  const progress = await awaitServices(context, added, 'ready', null);
  if (typeof progress === 'number') return progress;
  if (progress.result === 'reached' && values.json !== true) context.out(`ready: ${added.join(', ')}\n`);
  return progress.result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** Sends one request; returns the difference, or the exit code of a refusal, which is reported. */
function scaleOne(
  context: CommandContext,
  { name, replicas }: Wanted,
  { isDry }: { readonly isDry: boolean },
  values: GivenFlags['values'],
): Promise<ReloadBody | number> {
  const body = { replicas, dry_run: isDry };
  const path = `/v1/services/${encodeURIComponent(name)}/scale`;
  return requestChange(context, path, body, values);
}
