// The checks of a first start. A taken port, an unusable GPU and an unwritable --pid-file prevent the start; a missing program is
// a warning. Reports what it finds and returns exit codes; ends nothing.
import { describePortHolder } from '../linux/listeners.ts';
import type { Plan } from '../plan/plan.ts';
import { startingServices } from '../plan/starting.ts';
import type { Clock } from '../ports.ts';
import { printable } from '../text.ts';
import type { Announce } from './announcer.ts';
import type { Parts, UpRequest } from './parts.ts';
import { findTakenPorts } from './ports.ts';

/** Exit code if a port of a service is taken. */
const PORT_TAKEN = 1;
/** Exit code if the file of `--pid-file` cannot be written, or holds the PID of another process that is alive. */
const PID_FILE_UNWRITTEN = 1;
/** The longest time that one turn of the event loop spends on missing programs, milliseconds. */
const SEARCH_SLICE = 5;

/** Reports the ports of services that are taken. Returns the exit code; null: no port is taken. */
export function checkPorts({ err }: UpRequest, plan: Plan): number | null {
  const taken = findTakenPorts(plan, describePortHolder);
  for (const { port, service, holder } of taken)
    err(`svc-super: port ${port} of ${service} is taken by ${printable(holder)}; nothing was started\n`);
  return taken.length > 0 ? PORT_TAKEN : null;
}

/**
 * Checks the GPUs of services that start with the supervisor; the others are checked when they start. Reports why they prevent the start, or that a stop signal has arrived during the check, and
 * returns the exit code; null: the start continues.
 */
export async function checkGpus(
  plan: Plan,
  { request: { err }, link: { signals }, gpus }: Parts,
): Promise<number | null> {
  if (plan.services.every((service) => service.gpus === null || service.gpus.devices.length === 0)) return null;
  const starting = startingServices(plan.services);
  const { gpuServices, refuseGpus } = await import('../check/gpus.ts');
  const services = gpuServices(plan).filter(({ name }) => starting.has(name));
  if (services.length === 0) return null;
  // The driver may be slow, and a stop signal must not wait for it.
  const stop = new AbortController();
  signals.listen((signal) => (plan.stopSignals.includes(signal) ? stop.abort() : undefined));
  const refusal = await refuseGpus(services, await gpus.reader(), stop.signal);
  // A signal that arrives before the engine listens must not be lost.
  signals.pause();
  if (stop.signal.aborted) {
    err('svc-super: received a stop signal before any service was started\n');
    return 0;
  }
  if (refusal === null) return null;
  err(`svc-super: ${printable(refusal.text)}; nothing was started\n`);
  return refusal.code;
}

/**
 * Writes the file of `--pid-file`, if the option is given. Reports why that fails, and returns the exit code; null: the start
 * continues.
 */
export async function writePidFile({ pidFile: path, err, handover }: UpRequest): Promise<number | null> {
  if (path === null) return null;
  const { createPidFile } = await import('../linux/pid-file.ts');
  const why = createPidFile(path, handover.pid1);
  if (why === null) return null;
  err(`svc-super: cannot write --pid-file ${printable(path)}: ${printable(why)}; nothing was started\n`);
  return PID_FILE_UNWRITTEN;
}

/** Reports missing programs of services that wait for others. Searches in slices, so that other events are not delayed. */
export async function warnOfMissingPrograms(plan: Plan, clock: Clock, announce: Announce): Promise<void> {
  const starting = startingServices(plan.services);
  const isDependent = ({ name, edges, stageEdges }: Plan['services'][number]) =>
    starting.has(name) && edges.length + stageEdges.length > 0;
  if (!plan.services.some(isDependent)) return;
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
