// `health`: prints whether every essential service is ready, for HEALTHCHECK and exec probes. Changes nothing.
import type { Progress } from '../../control/waiting.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';
import { describeState } from '../waiting.ts';

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
  if (!response.ok) {
    reportNoSupervisor(context, response);
    // HEALTHCHECK knows 0 and 1 only: https://docs.docker.com/reference/dockerfile/#healthcheck.
    return EXIT.unhealthy;
  }
  // 503: not healthy.
  if (response.status !== 200 && response.status !== 503) {
    reportRefusal(context, response.body);
    return EXIT.unhealthy;
  }
  const body = response.body as { readonly healthy: boolean; readonly waiting: Progress['waiting'] };
  if (values.json === true) context.out(renderJson(body));
  else if (body.healthy) context.out('healthy\n');
  else if (body.waiting.length > 0) context.out(body.waiting.map((one) => `${describeState(one)}\n`).join(''));
  else context.out('everything is being stopped\n');
  return body.healthy ? EXIT.ok : EXIT.unhealthy;
}
