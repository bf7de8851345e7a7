// What `start`, `stop` and `restart` share: each selects services, sends one request, and may wait for its result. Decides nothing about
// services: the core does.
import type { StatusBody } from '../control/api.ts';
import type { Operation } from '../core/event.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { JSON_FLAG, readWaitLimit, TIMEOUT_FLAG } from './flags.ts';
import { renderJson } from './json.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from './request.ts';
import { reportUsage } from './usage.ts';
import { awaitServices, waitExitCode } from './waiting.ts';

/** The command for an operation. */
export function makeOperation(name: Operation, summary: string, example: string): Command {
  const usage = `svc-super ${name} NAME... | --group GROUP | --all  [--wait [--timeout D]] [--json]`;
  const until = name === 'stop' ? 'until they have stopped' : 'until they are ready; exit code 1 if one fails';
  return {
    summary,
    usage,
    example,
    connects: true,
    completes: 'services',
    flags: {
      group: { type: 'string', short: 'g', value: 'GROUP', completes: 'groups', summary: 'all members of that group' },
      all: { type: 'boolean', short: 'a', summary: 'all services' },
      wait: { type: 'boolean', short: 'w', summary: `wait ${until}` },
      timeout: TIMEOUT_FLAG,
      json: JSON_FLAG,
    },
    run: (context, given) => runOperation(context, name, given, usage),
  };
}

async function runOperation(
  context: CommandContext,
  operation: Operation,
  { values, positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  if (positionals.length === 0 && values.group === undefined && values.all !== true) {
    return reportUsage(context, `${operation} needs service names, --group or --all`, usage);
  }
  const limit = readWaitLimit(values);
  if (typeof limit === 'string') return reportUsage(context, limit, usage);
  const body = {
    services: positionals,
    ...(typeof values.group === 'string' && { group: values.group }),
    ...(values.all === true && { all: true }),
  };
  const response = await callSupervisor(context, { method: 'POST', path: `/v1/${operation}`, body });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status !== 202) return reportRefusal(context, response.body);
  const { services } = response.body as { services: readonly string[] };
  if (values.wait !== true) {
    context.out(values.json === true ? renderJson(response.body) : `requested ${operation}: ${services.join(', ')}\n`);
    return EXIT.ok;
  }
  const goal = operation === 'stop' ? 'stopped' : 'ready';
  const outcome = await awaitServices(context, services, goal, limit);
  if (typeof outcome === 'number') return outcome;
  if (values.json === true) context.out(renderJson({ operation, services, ...outcome }));
  else if (outcome.result === 'reached') context.out(await describeReached(context, goal, services));
  return waitExitCode(outcome);
}

/** Lines such as `ready: web`; `completed: migrate` for tasks, which are never ready; `not enabled: debug`. */
export async function describeReached(
  context: CommandContext,
  goal: 'ready' | 'stopped',
  services: readonly string[],
): Promise<string> {
  const response = goal === 'ready' ? await callSupervisor(context, { path: '/v1/status' }) : null;
  const known = response?.ok && response.status === 200 ? (response.body as StatusBody).services : [];
  const words = new Map(
    known.map(({ name, type, state }) => [
      name,
      state === 'skipped' ? 'not enabled' : type === 'task' ? 'completed' : goal,
    ]),
  );
  const lines = Map.groupBy(services, (name) => words.get(name) ?? goal);
  return [goal, 'completed', 'not enabled']
    .flatMap((word) => (lines.has(word) ? [`${word}: ${lines.get(word)?.join(', ')}\n`] : []))
    .join('');
}
