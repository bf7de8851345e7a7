// `status` and `health`: how things stand, once or again and again.
import type { StatusBody } from '../control/api.ts';
import { select } from '../control/selection.ts';
import { renderRestarts, renderStatus } from '../control/table.ts';
import { printable } from '../text.ts';
import { question, reportDelay, reportNoSupervisor, reportRestart } from './asking.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { renderJson } from './json.ts';

const WATCH_EVERY = 1_000;

export async function showStatus(context: CommandContext, given: GivenFlags): Promise<number> {
  if (given.values.watch === true) return watchStatus(context, given);
  const asked = await question(context, { path: '/v1/status' });
  return asked.ok ? show(context, given, asked.body as StatusBody, '') : reportNoSupervisor(context, asked);
}

/** Shows the status again and again. While a supervisor is replaced it waits for the next one. */
async function watchStatus(context: CommandContext, given: GivenFlags): Promise<number> {
  const isTerminal = context.terminal.out !== null;
  let restarts: number | null = null;
  let isAway = false;
  for (;;) {
    const asked = await question(context, { path: '/v1/status' });
    if (asked.ok) {
      const body = asked.body as StatusBody;
      if (restarts !== null && body.supervisor.restarts > restarts) reportRestart(context, 'the status goes on');
      ({ restarts } = body.supervisor);
      isAway = false;
      const code = show(context, given, body, isTerminal ? '\x1b[H\x1b[2J' : '');
      if (code !== EXIT.ok && code !== EXIT.notReady) return code;
    } else if (restarts === null || asked.isAway !== true) {
      return reportNoSupervisor(context, asked);
    } else if (!isAway) {
      reportDelay(context);
      isAway = true;
    }
    await new Promise<void>((resolve) => void context.after(WATCH_EVERY, resolve));
    if (!isTerminal && !isAway) context.out('\n');
  }
}

/** Prints it after `before`; returns the exit code. */
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
      : `${renderStatus(services, context.colour)}${renderRestarts(body.supervisor, context.wall())}`;
  context.out(`${before}${shown}`);
  return services.every(({ ready, state }) => ready || state === 'skipped') ? EXIT.ok : EXIT.notReady;
}

export async function showHealth(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const asked = await question(context, { path: '/v1/health' });
  if (!asked.ok) return reportNoSupervisor(context, asked) && EXIT.unhealthy;
  const body = asked.body as {
    healthy: boolean;
    waiting: readonly { name: string; state: string; reason: string | null }[];
  };
  if (values.json === true) context.out(renderJson(body));
  else if (body.healthy) context.out('healthy\n');
  else
    for (const { name, state, reason } of body.waiting)
      context.out(`${printable(`${name} is ${state}${reason === null ? '' : `: ${reason}`}`)}\n`);
  return body.healthy ? EXIT.ok : EXIT.unhealthy;
}
