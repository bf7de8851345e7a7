// Decides which services start with the supervisor: by `start`, and by `profiles` and the profiles that are on, as in Compose.
// A service that is named on the command line starts whatever these say, unless it is disabled. Starts nothing itself. Pure.
import type { Config, ServiceConfig } from '../config/config.ts';
import { matchServices } from './names.ts';
import type { Edge, StartMode } from './plan.ts';
import type { Problems } from './problems.ts';

/** The part of the command line and the environment that selects services. */
export interface StartChoice {
  /** Names and globs of services; empty: all. */
  readonly names: readonly string[];
  /** Profiles that the command line turns on. */
  readonly profiles: readonly string[];
  /** `$SVC_SUPER_PROFILES`: more profiles that are on, separated by commas. */
  readonly fromEnvironment: string;
}

/** The name that stands for all profiles. */
const ALL = '*';

type Edges = ReadonlyMap<string, readonly Edge[]>;

/**
 * How each service starts, by name, if it is enabled. Reports unknown profiles, and services that start although they depend on one whose profile
 * is off.
 */
export function startModes(
  config: Config,
  edges: Edges,
  choice: StartChoice,
  problems: Problems,
): ReadonlyMap<string, StartMode> {
  const { services } = config;
  const named = new Set(choice.names.flatMap((name) => matchServices(name, services)).map(({ name }) => name));
  const on = profilesOn(config, choice, named, problems);
  const modeOf = ({ name, start, profiles }: ServiceConfig): StartMode => {
    if (named.has(name)) return 'auto';
    const isOn = (profiles ?? []).length === 0 || on.has(ALL) || profiles?.some((one) => on.has(one)) === true;
    return isOn ? start : 'profile-off';
  };
  const modes = new Map(services.map((service) => [service.name, modeOf(service)]));
  const roots = services.filter(({ name, enabled }) => enabled && modes.get(name) === 'auto');
  reportNeedsThatAreOff(
    config,
    edges,
    choice.names.length === 0 ? roots.map(({ name }) => name) : [...named],
    modes,
    problems,
  );
  return modes;
}

/** The profiles that are on. A service that is named turns on its own profiles, so that its dependencies start too. */
function profilesOn(
  { services }: Config,
  { profiles, fromEnvironment }: StartChoice,
  named: ReadonlySet<string>,
  problems: Problems,
): ReadonlySet<string> {
  const others = fromEnvironment.split(',').map((name) => name.trim());
  const known = [...new Set(services.flatMap((service) => service.profiles ?? []))];
  const isUnknown = (name: string) => name !== '' && name !== ALL && !known.includes(name);
  const isBroken = services.some(({ broken }) => broken.has('profiles'));
  if (!isBroken) {
    for (const name of profiles.filter(isUnknown)) {
      const suggestion = problems.suggest(name, () => known);
      problems.error(['services'], 'unknown-profile', `no service has the profile \`${name}\``, {
        suggestion,
        key: true,
      });
    }
    for (const name of others.filter(isUnknown)) {
      const message = `no service has the profile \`${name}\` of $SVC_SUPER_PROFILES`;
      const suggestion = problems.suggest(name, () => known);
      problems.warn(['services'], 'unknown-profile', message, { suggestion, key: true });
    }
  }
  const own = services.filter(({ name }) => named.has(name)).flatMap((service) => service.profiles ?? []);
  return new Set([...profiles, ...others, ...own].filter(Boolean));
}

/**
 * Services that start, directly or because others need them, must not depend on one whose profile is off. A disabled one never
 * starts.
 */
function reportNeedsThatAreOff(
  config: Config,
  edges: Edges,
  roots: readonly string[],
  modes: ReadonlyMap<string, StartMode>,
  problems: Problems,
): void {
  if (![...modes.values()].includes('profile-off')) return;
  const services = new Map(config.services.map((service) => [service.name, service]));
  const starting = new Set(roots);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of starting) {
    if (services.get(name)?.enabled !== true) continue;
    for (const { on } of edges.get(name) ?? []) {
      // With its profile on it would not start either, which is reported elsewhere (edges.ts).
      if (services.get(on)?.enabled === false) continue;
      if (modes.get(on) === 'profile-off') reportOff(services.get(name), services.get(on), problems);
      else starting.add(on);
    }
  }
}

function reportOff(service: ServiceConfig | undefined, target: ServiceConfig | undefined, problems: Problems): void {
  if (service === undefined || target === undefined) return;
  const entry = service.depends_on?.find(({ name }) => name === target.key || name === target.name);
  const path = ['services', service.name, 'depends_on', ...(entry === undefined ? [] : [entry.step])];
  const profiles = target.profiles ?? [];
  const off =
    profiles.length === 1
      ? `whose profile \`${profiles[0]}\` is off`
      : `whose profiles are off (${profiles.join(', ')})`;
  problems.error(path, 'profile-off', `\`${service.key}\` depends on \`${target.key}\`, ${off}`, {
    suggestion: `turn it on with \`--profile ${profiles[0]}\`, or give both the same profiles`,
    key: typeof entry?.step === 'string',
  });
}
