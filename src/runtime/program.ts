// Makes the request to start a run of a service, or another command of it. Pure.
import type { RunRequest } from '../pid1/run.ts';
import type { ServicePlan } from '../plan/plan.ts';
import { deriveProcess } from '../plan/process.ts';

/**
 * A command with the folder, attributes and environment of the service. `beside` is the kind of a command
 * that may run at the same time as the service. Its run name then differs from the one in its environment (SVC_NAME, SVC_RUN),
 * which matters only if the kernel stores no marks: ending the command then does not end orphans of the service, and orphans
 * of the command count as processes of the service.
 */
export function requestOf(
  plan: ServicePlan,
  argv: readonly string[],
  run: number,
  extra: Readonly<Record<string, string>>,
  beside: string | null,
): RunRequest {
  return {
    spec: deriveProcess(plan, argv, { SVC_RUN: String(run), ...extra }),
    runName: `${plan.name}#${run}${beside === null ? '' : ` (${beside})`}`,
    stopSignal: plan.stop.signal,
  };
}
