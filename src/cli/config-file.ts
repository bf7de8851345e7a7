// Finds the files of the configuration that a command reads. Does not read them.
import { resolve } from '../paths.ts';
import type { CommandContext, ConfigurationFiles, GivenFlags } from './command.ts';

/** Where a configuration is searched for, in this order. */
const PLACES = ['./services.yaml', '/etc/svc-super/services.yaml', '/services.yaml'];

/**
 * The files of the configuration: those of `--file`, or else those of the environment or the first one at a standard place;
 * null: none. Later ones are merged into the first.
 */
export function findConfiguration(context: CommandContext, given: readonly string[] = []): ConfigurationFiles | null {
  const inEnvironment = (context.environment.SVC_SUPER_CONFIG ?? '').split(':').filter((path) => path !== '');
  const named = given.length > 0 ? given : inEnvironment;
  const found = PLACES.find((path) => named.length === 0 && context.files.stat(resolve(context.cwd, path)) !== null);
  const [path, ...more] = (found === undefined ? named : [found]).map((one) => resolve(context.cwd, one));
  return path === undefined ? null : { path, more };
}

/** The files of the configuration, as findConfiguration() does; reports it if there is none. */
export function requireConfiguration(context: CommandContext, given: GivenFlags): ConfigurationFiles | null {
  const found = findConfiguration(context, given.lists?.file);
  if (found === null)
    context.err(
      `svc-super: there is no configuration: searched ${PLACES.join(', ')}; specify one with -f FILE or SVC_SUPER_CONFIG\n`,
    );
  return found;
}
