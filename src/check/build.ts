// `check --build`: finds the programs that an image lacks while it is built. Executes nothing.
import { absolute, exists } from '../linux/files.ts';
import { executedProgram } from '../linux/launch.ts';
import { resolve } from '../paths.ts';
import type { Plan, ServicePlan } from '../plan/plan.ts';
import type { PreflightFinding } from './finding.ts';
import { allCommands, checkCommand, findAfterTasks } from './programs.ts';

/**
 * Checks the programs of an image that is being built. Ignores programs that a task, a hook or the service may install, and
 * paths that do not exist, because a volume may be mounted there.
 */
export function inspectBuild(plan: Plan): readonly PreflightFinding[] {
  const isAfterTask = findAfterTasks(plan);
  return plan.services
    .filter(({ enabled }) => enabled)
    .flatMap((service) =>
      allCommands(service, isAfterTask(service))
        .filter(({ argv }) => !isElsewhere(executedProgram(argv) ?? '', service))
        .flatMap((one) => checkCommand(service, one)),
    )
    .filter(({ verdict }) => verdict === 'wrong');
}

const isElsewhere = (program: string, { cwd }: ServicePlan): boolean =>
  program.includes('/') && !exists(resolve(absolute(cwd ?? '.'), program));
