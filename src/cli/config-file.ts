// Finds the configuration that a command reads. Reads nothing of it.
import { resolve } from '../paths.ts';
import type { CommandContext } from './command.ts';

const PLACES = ['./services.yaml', '/etc/svc-super/services.yaml', '/services.yaml'];

/** The path of the configuration: that of `--file`, or else that of the environment or a standard place; null: none. */
export function findConfiguration(context: CommandContext, given: string | boolean | undefined): string | null {
  const named = typeof given === 'string' ? given : context.environment.SVC_SUPER_CONFIG;
  if (named !== undefined && (named !== '' || typeof given === 'string')) return resolve(context.cwd, named);
  const found = PLACES.find((path) => context.files.stat(path) !== null);
  return found === undefined ? null : resolve(context.cwd, found);
}

/** The same; if there is none, this is reported. */
export function requireConfiguration(context: CommandContext, given: string | boolean | undefined): string | null {
  const found = findConfiguration(context, given);
  if (found === null)
    context.err(
      `svc-super: there is no configuration: searched ${PLACES.join(', ')}; specify one with -f FILE or SVC_SUPER_CONFIG\n`,
    );
  return found;
}
