// `health`: whether every essential service is ready, for HEALTHCHECK and exec probes.
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, reportNoSupervisor } from '../request.ts';

export default {
  summary: 'exit with 0 if every essential service is ready, else with 1; for HEALTHCHECK and exec probes',
  usage: 'svc-super health [--json]',
  example: 'HEALTHCHECK CMD ["svc-super", "health"]',
  connects: true,
  flags: { json: JSON_FLAG },
  run: showHealth,
} satisfies Command;

async function showHealth(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const response = await callSupervisor(context, { path: '/v1/health' });
  if (!response.ok) return reportNoSupervisor(context, response) && EXIT.unhealthy;
  const body = response.body as {
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
