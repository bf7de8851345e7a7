// `check --build`: finds the programs that an image lacks while it is built. Executes nothing.
import { absolute, exists } from '../linux/files.ts';
import { executedProgram } from '../linux/launch.ts';
import { resolve } from '../paths.ts';
import type { Plan, ServicePlan } from '../plan/plan.ts';
import type { PreflightFinding } from './finding.ts';
import { checkCommand, commandsOf } from './programs.ts';

/**
 * Checks the programs of an image that is being built. Ignores programs that a task, a hook or the service may install, and
 * paths that do not exist, because a volume may be mounted there.
 */
export function inspectBuild(plan: Plan): readonly PreflightFinding[] {
  return commandsOf(plan)
    .filter(({ argv, service }) => !isAbsentPath(executedProgram(argv), service))
    .flatMap(checkCommand)
    .filter(({ verdict }) => verdict === 'wrong');
}

/** Whether a program is named by a path that does not exist. */
function isAbsentPath(program: string | null, { cwd }: ServicePlan): boolean {
  return program?.includes('/') === true && !exists(resolve(absolute(cwd ?? '.'), program));
}
