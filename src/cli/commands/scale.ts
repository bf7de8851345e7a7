// `scale`: requests another number of replicas of services while they run. Writes no file.
import type { StatusBody } from '../../control/api.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG, readWaitLimit, TIMEOUT_FLAG } from '../flags.ts';
import { describeReached } from '../operation.ts';
import { printChange, type ReloadBody, requestChange } from '../reloaded.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';
import { reportUsage } from '../usage.ts';
import { awaitServices, waitExitCode } from '../waiting.ts';

const USAGE = 'svc-super scale NAME=N... [--dry-run] [--wait [--timeout D]] [--json]';

export default {
  summary: 'change the number of replicas of services, until their `replicas` in the file changes',
  usage: USAGE,
  example: 'svc-super scale worker=5 --wait',
  connects: true,
  completes: 'scales',
  flags: {
    'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference' },
    wait: {
      type: 'boolean',
      short: 'w',
      summary: 'wait until the new replicas are ready and the removed ones have stopped; exit code 1 if one fails',
    },
    timeout: TIMEOUT_FLAG,
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
  const limit = readWaitLimit(values);
  if (typeof limit === 'string') return reportUsage(context, limit, USAGE);
  const isDry = values['dry-run'] === true;
  // If one number is refused, none must be changed: of several, each is tried first.
  for (const one of wanted.length > 1 && !isDry ? wanted : []) {
    const outcome = await scaleOne(context, one, { isDry: true }, values);
    if (typeof outcome === 'number') return outcome;
  }
  const replicas: ChangedReplicas = { added: [], removed: [] };
  for (const one of wanted) {
    const outcome = await scaleOne(context, one, { isDry }, values);
    if (typeof outcome === 'number') return outcome;
    printChange(context, outcome, values);
    replicas.added.push(...outcome.added.filter((name) => !outcome.idle.includes(name)));
    replicas.removed.push(...outcome.removed);
  }
  if (values.wait !== true || isDry) return EXIT.ok;
  const starting = await stillStarting(context, new Set(wanted.map(({ name }) => name)));
  if (typeof starting === 'number') return starting;
  const added = [...new Set([...replicas.added, ...starting])];
  return awaitReplicas(context, { added, removed: replicas.removed }, limit, values);
}

/**
 * The replicas that an earlier `scale` has added and that are not ready yet. It may have been this one: a request is repeated if the
 * supervisor dies before it has responded, and then nothing is left to change.
 */
async function stillStarting(context: CommandContext, names: ReadonlySet<string>): Promise<readonly string[] | number> {
  const services = await askServices(context);
  if (typeof services === 'number') return services;
  return services
    .filter(({ name, replica, state }) => STARTING.has(state) && names.has(replica?.of ?? name))
    .map(({ name }) => name);
}

/** States of a service that will run, and is not ready. */
const STARTING: ReadonlySet<string> = new Set(['pending', 'starting', 'backoff']);

interface ChangedReplicas {
  /** Those that start. */
  readonly added: string[];
  readonly removed: string[];
}

/** Waits until the new replicas are ready, then until the removed ones have stopped; prints what has become of them. */
async function awaitReplicas(
  context: CommandContext,
  { added, removed }: ChangedReplicas,
  limit: number | null,
  { json }: GivenFlags['values'],
): Promise<number> {
  const until = limit === null ? null : context.wall() + limit;
  if (added.length > 0) {
    const progress = await awaitServices(context, added, 'ready', limit);
    if (typeof progress === 'number') return progress;
    if (progress.result !== 'reached') return waitExitCode(progress);
    if (json !== true) context.out(await describeReached(context, 'ready', added));
  }
  for (let left = await stillThere(context, removed); ; left = await stillThere(context, left)) {
    if (typeof left === 'number') return left;
    if (left.length === 0) break;
    const progress = await awaitServices(
      context,
      left,
      'gone',
      until === null ? null : Math.max(0, until - context.wall()),
    );
    if (typeof progress === 'number') return progress;
    if (progress.result !== 'reached') return waitExitCode(progress);
  }
  if (removed.length > 0 && json !== true) context.out(`stopped: ${removed.join(', ')}\n`);
  return EXIT.ok;
}

/** The services of a list that the supervisor still has and that have not stopped; or an exit code. */
async function stillThere(context: CommandContext, names: readonly string[]): Promise<readonly string[] | number> {
  const services = names.length === 0 ? [] : await askServices(context);
  if (typeof services === 'number') return services;
  const left = new Set(services.filter(({ state }) => !ENDED.has(state)).map(({ name }) => name));
  return names.filter((name) => left.has(name));
}

/** All services; or the exit code of a failure, which is reported. */
async function askServices(context: CommandContext): Promise<StatusBody['services'] | number> {
  const response = await callSupervisor(context, { path: '/v1/status' });
  if (!response.ok) return reportNoSupervisor(context, response);
  return response.status === 200 ? (response.body as StatusBody).services : reportRefusal(context, response.body);
}

/** States in which no process of a service is left. */
const ENDED: ReadonlySet<string> = new Set(['stopped', 'completed', 'failed', 'skipped', 'idle']);

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
