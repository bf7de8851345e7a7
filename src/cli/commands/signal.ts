// `signal`: requests a signal for the main process of each named service. Sends none itself: PID 1 does.
import type { StatusBody } from '../../control/api.ts';
import { select } from '../../control/selection.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super signal SIG NAME...';

export default {
  summary: 'send a signal to the main process of services',
  usage: USAGE,
  example: 'svc-super signal HUP nginx',
  connects: true,
  completes: { first: 'signals', rest: 'services' },
  flags: {},
  run: signalServices,
} satisfies Command;

async function signalServices(context: CommandContext, { positionals }: GivenFlags): Promise<number> {
  const [name, ...wanted] = positionals;
  if (name === undefined || wanted.length === 0)
    return reportUsage(context, 'signal needs a signal and service names', USAGE);
  const status = await callSupervisor(context, { path: '/v1/status' });
  if (!status.ok) return reportNoSupervisor(context, status);
  if (status.status !== 200) return reportRefusal(context, status.body);
  const selected = select({ names: wanted }, (status.body as StatusBody).services, 'error');
  if (!selected.ok) return reportRefusal(context, selected);
  let code: number = EXIT.ok;
  for (const service of selected.names) {
    const path = `/v1/services/${encodeURIComponent(service)}/signal`;
    const response = await callSupervisor(context, { method: 'POST', path, body: { signal: name } });
    if (!response.ok) return reportNoSupervisor(context, response);
    if (response.status !== 202) code = reportRefusal(context, response.body);
  }
  return code;
}
