// `status` and `health`: how things stand, once or again and again.
import type { StatusBody } from '../control/api.ts';
import { select } from '../control/selection.ts';
import { renderStatus } from '../control/table.ts';
import { printable } from '../text.ts';
import { question, reportNoSupervisor } from './asking.ts';
import { type Context, EXIT, type Given } from './command.ts';
import { renderJson } from './json.ts';

const WATCH_EVERY = 1_000;

export async function showStatus(context: Context, given: Given): Promise<number> {
  const isTerminal = context.terminal.out !== null;
  for (;;) {
    const code = await showOnce(context, given, given.values.watch === true && isTerminal ? '\x1b[H\x1b[2J' : '');
    if (given.values.watch !== true || (code !== EXIT.ok && code !== EXIT.notReady)) return code;
    await new Promise<void>((resolve) => void context.after(WATCH_EVERY, resolve));
    if (!isTerminal) context.out('\n');
  }
}

async function showOnce(context: Context, { values, positionals }: Given, before: string): Promise<number> {
  const asked = await question(context, { path: '/v1/status' });
  if (!asked.ok) return reportNoSupervisor(context, asked);
  const body = asked.body as StatusBody;
  const selected = select({ names: positionals }, body.services, 'all');
  if (!selected.ok) {
    context.err(`svc-super: ${printable(selected.error)}\n`);
    return EXIT.failed;
  }
  const services = body.services.filter(({ name }) => selected.names.includes(name));
  const shown = values.json === true ? renderJson({ ...body, services }, 2) : renderStatus(services, context.colour);
  context.out(`${before}${shown}`);
  return services.every(({ ready, state }) => ready || state === 'skipped') ? EXIT.ok : EXIT.notReady;
}

export async function showHealth(context: Context, { values }: Given): Promise<number> {
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
