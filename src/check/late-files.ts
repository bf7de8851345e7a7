// Env files and secrets that do not exist yet: reports what may write each of them before the service that needs it starts. Reads no
// file.
import type { Plan, ServicePlan } from '../plan/plan.ts';
import { tasksBefore } from '../plan/run-environment.ts';
import type { PreflightFinding } from './finding.ts';

/** A finding for each file that a service needs and that did not exist when the plan was made. */
export function findLateFiles(plan: Plan): readonly PreflightFinding[] {
  const late = new Set(plan.lateFiles);
  if (late.size === 0) return [];
  return plan.services.flatMap((service) =>
    [...new Set(filesOf(service))]
      .filter((file) => late.has(file))
      .map((file): PreflightFinding => {
        const text = `${file} does not exist yet, and is read at each start: ${describeWriter(plan, service)}`;
        return { service: service.name, check: 'file', verdict: 'ok', text };
      }),
  );
}

/** The files that have to exist when the service starts. */
function filesOf({ envRecipe }: ServicePlan): readonly string[] {
  return (envRecipe?.sources ?? []).flatMap((source) => {
    if ('secrets' in source) return Object.values(source.secrets);
    return source.required ? [source.file] : [];
  });
}

function describeWriter(plan: Plan, { name, hooks }: ServicePlan): string {
  const tasks = tasksBefore(plan, name);
  const hook = hooks.beforeStart === null ? '' : 'its hook `before_start`';
  const or = hook === '' ? '' : ` or ${hook}`;
  if (tasks.length === 1) return `the task ${tasks[0]}, which runs before,${or} can write it`;
  if (tasks.length > 1) return `one of the tasks that run before${or} can write it: ${tasks.join(', ')}`;
  // With neither, a service starts before: otherwise the missing file is an error (src/plan/environment.ts).
  return `${hook || 'a service that starts before'} can write it`;
}
