// Derives the program of a service, a hook, a probe or a command from the plan of the service. Pure.
import type { ServicePlan } from '../plan/plan.ts';
import type { Program } from './parts.ts';

/**
 * A program with the attributes of the service: its user, folder, limits and environment. `beside` is the kind of a program
 * that may run at the same time as the service. Its run name then differs from the one in its environment (SVC_NAME, SVC_RUN),
 * which matters only if the kernel stores no marks: ending the program then does not end orphans of the service, and orphans
 * of the program count as processes of the service.
 */
export function programOf(
  plan: ServicePlan,
  argv: readonly string[],
  run: number,
  extra: Readonly<Record<string, string>>,
  beside: string | null,
): Program {
  const { cwd, user, umask, nice, oomScoreAdj, cpus, limits, name } = plan;
  const env = { ...plan.env, SVC_RUN: String(run), ...extra };
  const runName = `${name}#${run}${beside === null ? '' : ` (${beside})`}`;
  const stopSignal = plan.stop.signal;
  return { argv, env, cwd, user, umask, nice, oomScoreAdj, cpus, limits, stopSignal, runName };
}
