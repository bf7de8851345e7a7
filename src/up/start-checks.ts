// Checks at a first start: what prevents it (a taken port, an unusable GPU), and what deserves a warning (a program that does
// not exist). Reports it and returns exit codes; ends nothing.
import { describePortHolder } from '../linux/listeners.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { printable } from '../text.ts';
import type { Announce } from './announcer.ts';
import type { Parts, UpRequest } from './parts.ts';
import { findTakenPorts } from './ports.ts';

/** Exit code if a port is taken: at the start, and later if a service ends the container because of that. */
const PORT_TAKEN = 1;
/** Exit code if `--pid-file` cannot be written, or names another process that is alive. */
const PID_FILE_UNWRITTEN = 1;
/** The longest time that one turn of the event loop spends on missing programs, milliseconds. */
const SEARCH_SLICE = 5;

/** Reports ports of services that are taken. Returns the exit code if there are any, otherwise null. */
export function checkPorts({ err }: UpRequest, plan: Plan): number | null {
  const taken = findTakenPorts(plan, describePortHolder);
  for (const { port, service, holder } of taken)
    err(`svc-super: port ${port} of ${service} is taken by ${printable(holder)}; nothing was started\n`);
  return taken.length > 0 ? PORT_TAKEN : null;
}

/**
 * Checks the GPUs of services. Returns the exit code if they prevent the start, or if a stop signal arrives during the check,
 * and reports that; otherwise null.
 */
export async function checkGpus(
  plan: Plan,
  { request: { err }, link: { signals }, gpus }: Parts,
): Promise<number | null> {
  if (plan.services.every((service) => service.gpus === null || service.gpus.devices.length === 0)) return null;
  const { refuseGpus } = await import('../check/gpus.ts');
  // The driver may be slow, and a stop signal must not wait for it.
  const stop = new AbortController();
  signals.listen((signal) => (plan.stopSignals.includes(signal) ? stop.abort() : undefined));
  const refusal = await refuseGpus(plan, await gpus.reader(), stop.signal);
  if (stop.signal.aborted) {
    err('svc-super: received a stop signal before any service was started\n');
    return 0;
  }
  if (refusal === null) return null;
  err(`svc-super: ${printable(refusal.text)}; nothing was started\n`);
  return refusal.code;
}

/** Writes the file of `--pid-file`, if there is one. Reports why that is not possible, and returns the exit code then; null if it is written. */
export async function writePidFile({ pidFile: path, err, handover }: UpRequest): Promise<number | null> {
  if (path === null) return null;
  const { createPidFile } = await import('../linux/pid-file.ts');
  const why = createPidFile(path, handover.pid1);
  if (why === null) return null;
  err(`svc-super: cannot write --pid-file ${printable(path)}: ${printable(why)}; nothing was started\n`);
  return PID_FILE_UNWRITTEN;
}

/** Reports missing programs of services that start later. */
export async function warnOfMissingPrograms(plan: Plan, clock: Clock, announce: Announce): Promise<void> {
  const isLater = ({ enabled, edges, stageEdges }: Plan['services'][number]) =>
    enabled && edges.length + stageEdges.length > 0;
  if (!plan.services.some(isLater)) return;
  const { findMissingPrograms } = await import('../check/programs.ts');
  let began = clock.now();
  for (const missing of findMissingPrograms(plan)) {
    if (missing !== null)
      announce({ level: 'warn', service: missing.service, event: 'missing-program', text: missing.text });
    if (clock.now() - began < SEARCH_SLICE) continue;
    await new Promise<void>((resolve) => clock.soon(resolve));
    began = clock.now();
  }
}
