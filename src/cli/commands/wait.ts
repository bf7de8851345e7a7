// `wait`: waits until services are ready, or have stopped. Starts and stops nothing.
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG, readDuration } from '../flags.ts';
import { renderJson } from '../json.ts';
import { reportUsage } from '../usage.ts';
import { awaitServices } from '../waiting.ts';

const USAGE = 'svc-super wait [NAME...] [--for ready|stopped] [--timeout D] [--json]';

export default {
  summary: 'wait until services are ready, or have stopped',
  usage: USAGE,
  example: 'svc-super wait vllm --timeout 30m',
  connects: true,
  completes: 'services',
  flags: {
    for: { type: 'string', value: 'STATE', completes: ['ready', 'stopped'], summary: 'ready (default) or stopped' },
    timeout: { type: 'string', short: 't', value: 'D', summary: 'time limit (10s, 5m); after that, exit code 124' },
    json: JSON_FLAG,
  },
  run: wait,
} satisfies Command;

async function wait(context: CommandContext, { values, positionals }: GivenFlags): Promise<number> {
  const goal = values.for ?? 'ready';
  if (goal !== 'ready' && goal !== 'stopped') return reportUsage(context, '--for is ready or stopped', USAGE);
  const timeout = readDuration(values.timeout);
  if (typeof timeout === 'string') return reportUsage(context, `--timeout: ${timeout}`, USAGE);
  const outcome = await awaitServices(context, positionals, goal, timeout);
  if (typeof outcome === 'number') return outcome;
  if (values.json === true) context.out(renderJson(outcome));
  if (outcome.result === 'timeout') return EXIT.timeout;
  return outcome.result === 'reached' ? EXIT.ok : EXIT.failed;
}
