// Converts a scenario to services.yaml, and its reloads to the files that replace it. Pure.
import { join } from 'node:path';
import { Dice } from '../test/helpers/nonsense.ts';
import type { Ending, ReloadFile, Scenario, ServiceSpec } from './scenario.ts';

/** The files of a round. */
export interface Places {
  /** The round's folder, with locks/, flags/, disk/ and the journal. */
  readonly folder: string;
  readonly program: string;
}

/** The uid of services that do not run as root: `nobody`. */
export const OTHER_USER = 65_534;
/** One deadline for the whole shutdown, milliseconds. */
export const STOP_TIMEOUT = 3_000;
/** The first port; each round has its own network. */
const PORT = 20_000;
/** Distance between the ports of two services, because replicas use consecutive ports. */
const PORTS = 10;
const PERL = '/usr/bin/perl';

/** `hung_after`: longer than any absence, milliseconds. */
export const HUNG = 8_000;

export function configure(
  scenario: Scenario,
  places: Places,
  touched: ReadonlyMap<string, number> = new Map(),
): object {
  const services = scenario.services.map((spec, at) => [
    spec.name,
    service(spec, PORT + at * PORTS, places, touched.get(spec.name)),
  ]);
  return {
    exit: scenario.exit,
    stop_timeout: `${STOP_TIMEOUT}ms`,
    // Any number of restarts, at any interval.
    supervisor: { hung_after: `${HUNG}ms`, deaths_starting: 1_000, deaths_young: 1_000 },
    // The watch reads the supervisor's own lines.
    defaults: { log: { format: 'json' } },
    ...(scenario.groups.length > 0 && { groups: scenario.groups }),
    services: Object.fromEntries(services),
  };
}

/** The folder in disk/ of a service that runs as another user, who owns it. Its log file is in logs/ there. */
export const ownFolderOf = ({ name }: ServiceSpec): string => `own-${name}`;

/** Names of the log files of a service, one for each replica that a reload may create. */
export function logNamesOf({ name, replicas }: ServiceSpec): string[] {
  return replicas > 1 ? [0, 1, 2].map((copy) => `${name}.${copy}.log`) : [`${name}.log`];
}

function logFile(spec: ServiceSpec, { folder }: Places): string {
  const name = `${copyOf(spec)}.log`;
  return join(folder, 'disk', spec.user ? join(ownFolderOf(spec), 'logs', name) : name);
}

function service(spec: ServiceSpec, port: number, places: Places, touched = 0): object {
  const { restart, pause, dependsOn, log, prepared } = spec;
  return {
    command: command(spec, port, places),
    type: spec.type,
    ...(spec.group !== null && { group: spec.group }),
    ...(spec.user && { user: `${OTHER_USER}` }),
    ...(spec.replicas > 1 && { replicas: spec.replicas }),
    // A service that may listen has a fixed port, so that only a reload can give the port to another service.
    ...((spec.replicas > 1 || listens(spec)) && { port }),
    essential: spec.essential,
    restart:
      restart === 'never' ? 'never' : { policy: restart, backoff: { initial: `${pause}ms`, max: `${pause * 4}ms` } },
    success_codes: spec.successCodes,
    depends_on: Object.fromEntries(
      dependsOn.map(({ on, condition, restart }) => [on, restart === true ? { condition, restart } : condition]),
    ),
    ...(spec.ready !== null && { ready: ready(spec, port, places), start_timeout: `${spec.ready.timeout}ms` }),
    ...(spec.live && { live: { exec: ['/bin/true'], interval: '300ms', timeout: '2s' } }),
    stop: stop(spec, places),
    ...hooks(spec, places),
    log: {
      format: log.format,
      when_full: log.whenFull,
      ...(log.file && { file: { path: logFile(spec, places), max_size: '64KiB', keep: 2 } }),
    },
    ...(prepared && { nice: 3, umask: '027' }),
    env: { TOUCHED: `${touched}` },
  };
}

function listens({ ready }: ServiceSpec): boolean {
  return ready?.probe === 'tcp' || ready?.probe === 'http';
}

/** The name of a replica, in texts that use the variable of its number. */
function copyOf({ name, replicas }: ServiceSpec): string {
  return replicas > 1 ? `${name}.\${SVC_REPLICA}` : name;
}

function ready(spec: ServiceSpec, port: number, { folder }: Places): object {
  const { ready: given } = spec;
  if (given === null) return {};
  const flag = join(folder, 'flags', copyOf(spec));
  const how = {
    tcp: { tcp: port },
    http: { http: `http://127.0.0.1:${port}/` },
    exec: { exec: ['/usr/bin/test', '-e', flag] },
    log: { log: 'I am ready' },
    file: { file: flag },
    notify: { notify: true },
  }[given.probe];
  return { ...how, ...(given.continuous && { continuous: true, interval: '200ms' }) };
}

function stop(spec: ServiceSpec, { program }: Places): object {
  const { signal, timeout, to, command } = spec.stop;
  const works = [PERL, program, `stopper=${copyOf(spec)}`, `signal=${signal}`];
  return {
    signal,
    ...(timeout !== null && { timeout: `${timeout}ms` }),
    to,
    ...(command !== 'none' && { command: command === 'works' ? works : ['/bin/false'] }),
  };
}

function hooks({ hooks, stop: { drain } }: ServiceSpec, places: Places): object {
  const made: [string, object][] = hooks.map(({ when, lives, code, timeout, escapes }) => {
    const flags = { hook: when, ends: `${lives}:c${code}`, forks: escapes ? 'daemon:1:-' : '' };
    const command = [PERL, places.program, ...words({ ...common(places), ...flags })];
    return [when, { command, ...(timeout !== null && { timeout: `${timeout}ms` }) }];
  });
  const never = join(places.folder, 'flags', 'never');
  const wait = { wait_for: drain === 'never' ? { file: never } : { exec: ['/bin/true'] } };
  if (drain !== 'none') made.push(['before_stop', wait]);
  return made.length === 0 ? {} : { hooks: Object.fromEntries(made) };
}

function common({ folder, program }: Places): Readonly<Record<string, string>> {
  const within = (name: string) => join(folder, name);
  return { self: program, journal: within('journal'), locks: within('locks'), flags: within('flags') };
}

/** The arguments of the program, without empty ones. */
function words(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([key, value]) => (value === '' ? [] : [`${key}=${value}`]));
}

function command({ ready, program }: ServiceSpec, port: number, places: Places): string[] {
  const ms = (value: number | null) => (value === null ? '-' : `${value}`);
  const { ends, onStop, forks, output, storm, sick } = program;
  const flags = {
    ends: ends.map(({ after, how }) => `${ms(after)}:${ending(how)}`).join(','),
    stop: onStop.kind === 'exit' ? `exit:${onStop.after}:${onStop.code}` : onStop.kind,
    forks: forks.map(({ how, ignoresTerm, lives }) => `${how}:${ignoresTerm ? 1 : 0}:${ms(lives)}`).join(','),
    output: output === null ? '' : `${output.every}:${output.lines}:${output.width}:${output.stream}:${output.kind}`,
    storm: storm === null ? '' : `${storm.count}:${storm.every}`,
    sick: sick === null ? '' : `${sick.from}:${sick.for}`,
    ready: ready === null ? '' : `${ready.probe}:${ready.after}`,
    port: `${port}`,
  };
  return [PERL, places.program, ...words({ ...common(places), ...flags })];
}

function ending(how: Ending): string {
  return 'code' in how ? `c${how.code}` : `s${how.signal}`;
}

/** The contents of services.yaml after a reload's file has replaced it; null: no file. */
export function reloadText(
  scenario: Scenario,
  places: Places,
  file: ReloadFile,
  turn: number,
): string | Uint8Array | null {
  const { services } = scenario;
  const render = (given: Scenario, touched = new Map<string, number>()) =>
    JSON.stringify(configure(given, places, touched), null, 1);
  const picked = (picks: readonly number[]) =>
    new Set(picks.map((pick) => services[pick % services.length]?.name ?? ''));
  switch (file.text) {
    case 'same':
      return render(scenario);
    case 'changed':
      return render(scenario, new Map([...picked(file.picks)].map((name) => [name, turn])));
    case 'scaled': {
      const scaled = picked(file.picks);
      const { replicas } = file;
      return render({
        ...scenario,
        services: services.map((spec) => (scaled.has(spec.name) ? { ...spec, replicas } : spec)),
      });
    }
    case 'fewer': {
      const gone = picked(file.picks);
      const kept = services.filter(({ name }) => !gone.has(name));
      // One service must remain.
      return render({ ...scenario, services: withoutEdgesTo(kept.length > 0 ? kept : services.slice(0, 1)) });
    }
    case 'wrong':
      return `${render(scenario).slice(0, -1)}, "surprise": 1 }`;
    case 'rubbish': {
      const dice = new Dice(turn);
      return Uint8Array.from({ length: 2_000 }, () => dice.below(256));
    }
    case 'missing':
      return null;
  }
}

/** Only the edges to these services. */
export function withoutEdgesTo(services: readonly ServiceSpec[]): ServiceSpec[] {
  const names = new Set(services.map(({ name }) => name));
  return services.map((spec) => ({ ...spec, dependsOn: spec.dependsOn.filter(({ on }) => names.has(on)) }));
}

/** Whether the supervisor must reject that file. */
export function isWrong({ text }: ReloadFile): boolean {
  return text === 'wrong' || text === 'rubbish' || text === 'missing';
}
