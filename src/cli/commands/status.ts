// `status`: the state of the services, once or repeatedly.
import type { StatusBody } from '../../control/api.ts';
import { select } from '../../control/selection.ts';
import { renderRestarts, renderScale, renderStatus } from '../../control/table.ts';
import { isOff } from '../../core/off.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, isRemote, reportDelay, reportNoSupervisor, reportRefusal, reportRestart } from '../request.ts';

export default {
  summary: 'show the state of each service',
  usage: 'svc-super status [NAME...] [--json] [--watch]',
  example: 'svc-super status vllm',
  connects: true,
  completes: 'services',
  flags: { json: JSON_FLAG, watch: { type: 'boolean', summary: 'repeat every second, until Ctrl-C' } },
  run: showStatus,
} satisfies Command;

const WATCH_EVERY = 1_000;
/** How many responses in a row may be missing over TCP: as long as other commands wait for the next supervisor. */
const MISSING_MOST = 2;

async function showStatus(context: CommandContext, given: GivenFlags): Promise<number> {
  if (given.values.watch === true) return watchStatus(context, given);
  const response = await callSupervisor(context, { path: '/v1/status' });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status !== 200) return reportRefusal(context, response.body);
  return show(context, given, response.body as StatusBody, '');
}

/** Shows the status repeatedly. While a supervisor is replaced it waits for the next one. */
async function watchStatus(context: CommandContext, given: GivenFlags): Promise<number> {
  const isTerminal = context.terminal.out !== null;
  let restarts: number | null = null;
  let isAway = false;
  /** Over TCP nothing listens between two supervisors: responses that were missing in a row. */
  let missing = 0;
  for (;;) {
    const response = await callSupervisor(context, { path: '/v1/status' });
    if (response.ok) {
      if (response.status !== 200) return reportRefusal(context, response.body);
      const body = response.body as StatusBody;
      // A terminal is cleared before each status, which has a line about restarts itself.
      if (!isTerminal && restarts !== null && body.supervisor.restarts > restarts)
        reportRestart(context, 'the status continues');
      ({ restarts } = body.supervisor);
      isAway = false;
      missing = 0;
      const code = show(context, given, body, isTerminal ? '\x1b[H\x1b[2J' : '');
      if (code !== EXIT.ok && code !== EXIT.notReady) return code;
    } else if (restarts === null || (response.isAway !== true && (!isRemote(context) || missing >= MISSING_MOST))) {
      return reportNoSupervisor(context, response);
    } else if (!isAway) {
      reportDelay(context);
      isAway = true;
    }
    if (!response.ok) missing += 1;
    await new Promise<void>((resolve) => void context.after(WATCH_EVERY, resolve));
    if (!isTerminal && !isAway) context.out('\n');
  }
}

/** Prints the status after `before`; returns the exit code. */
function show(context: CommandContext, { values, positionals }: GivenFlags, body: StatusBody, before: string): number {
  const selected = select({ names: positionals }, body.services, 'all');
  if (!selected.ok) {
    context.err(`svc-super: ${printable(selected.error)}\n`);
    return EXIT.failed;
  }
  const services = body.services.filter(({ name }) => selected.names.includes(name));
  const shown =
    values.json === true
      ? renderJson({ ...body, services }, 2)
      : `${renderStatus(services, context.colour)}${renderScale(body.scale)}${renderRestarts(body.supervisor, context.wall())}`;
  context.out(`${before}${shown}`);
  return services.every(({ ready, state }) => ready || isOff(state)) ? EXIT.ok : EXIT.notReady;
}
