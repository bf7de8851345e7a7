// `wait`: waits until services are ready, or have stopped. Starts and stops nothing.
import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { JSON_FLAG, readDuration, TIMEOUT_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { reportUsage } from '../usage.ts';
import { awaitServices, waitExitCode } from '../waiting.ts';

const USAGE = 'svc-super wait [NAME...] [--for ready|stopped] [--timeout D] [--json]';

export default {
  summary: 'wait until services are ready, or have stopped',
  usage: USAGE,
  example: 'svc-super wait vllm --timeout 30m',
  connects: true,
  completes: 'services',
  flags: {
    for: { type: 'string', value: 'STATE', completes: ['ready', 'stopped'], summary: 'ready (default) or stopped' },
    timeout: TIMEOUT_FLAG,
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
  return waitExitCode(outcome);
}
