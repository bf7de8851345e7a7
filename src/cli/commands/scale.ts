// `scale`: changes the number of replicas of services while they run.
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { type ReloadBody, renderReload } from '../reloaded.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal, reportUsage } from '../request.ts';
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
  // One that is refused leaves the others as they are: of several, each is tried first.
  for (const one of wanted.length > 1 && !isDry ? wanted : []) {
    const outcome = await scaleOne(context, one, true, values);
    if (typeof outcome === 'number') return outcome;
  }
  const added: string[] = [];
  for (const one of wanted) {
    const outcome = await scaleOne(context, one, isDry, values);
    if (typeof outcome === 'number') return outcome;
    context.out(values.json === true ? renderJson(outcome) : renderReload(outcome));
    added.push(...outcome.added);
  }
  if (values.wait !== true || isDry || added.length === 0) return EXIT.ok;
  const progress = await awaitServices(context, added, 'ready', null);
  if (typeof progress === 'number') return progress;
  if (progress.result === 'reached' && values.json !== true) context.out(`ready: ${added.join(', ')}\n`);
  return progress.result === 'reached' ? EXIT.ok : EXIT.failed;
}

/** Sends one request; returns the difference, or the exit code of a refusal, which is reported. */
async function scaleOne(
  context: CommandContext,
  { name, replicas }: Wanted,
  isDry: boolean,
  values: GivenFlags['values'],
): Promise<ReloadBody | number> {
  const body = { replicas, dry_run: isDry };
  const path = `/v1/services/${encodeURIComponent(name)}/scale`;
  const response = await callSupervisor(context, { method: 'POST', path, body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status === 422) {
    const { error, text } = response.body as { error: string; text: string };
    if (values.json === true) context.out(renderJson(response.body));
    context.err(`${text}svc-super: ${error}: nothing was changed\n`);
    return EXIT.config;
  }
  if (response.status !== 200) return reportRefusal(context, response.body);
  return response.body as ReloadBody;
}
