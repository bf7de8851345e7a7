// What the exports that write one container per service have in common: which services they write, and the part of the report
// that does not depend on the target.
import { isAbsolute } from '../../paths.ts';
import { reportEnvironments } from './environment-report.ts';
import { CONFIG_FOLDER } from './format.ts';
import {
  changed,
  look,
  lost,
  type Remark,
  type Reporter,
  type Rule,
  type Rules,
  reportServices,
  reportTop,
} from './report.ts';
import type { ExportService, ExportSource } from './source.ts';

/**
 * The services that the output contains. Reports those that it does not, and those whose `enabled` has a variable. With
 * `profiles` the output contains those that do not start by themselves too, and the format makes them optional.
 */
export function includedServices(
  source: ExportSource,
  reporter: Reporter,
  profiles?: 'profiles',
): readonly ExportService[] {
  const reported = new Set<string>();
  for (const { key, isStarted, isConditional, whyNot } of source.services) {
    if (reported.has(key) || (isStarted && !isConditional)) continue;
    reported.add(key);
    const add = (remark: Remark): void =>
      reporter.add(['services', key, whyNot ?? 'enabled'], `the service ${key}`, remark);
    if (isStarted) {
      const why = 'a variable decides whether it is enabled, and the output always runs it';
      add(changed(why, 'remove it from the output where it is not wanted'));
    } else if (profiles !== undefined) {
      if (whyNot === 'start')
        add(changed('it is in a profile of its own', `start it with \`docker compose up ${key}\``));
      else if (isConditional) add(changed('a variable no longer enables it', `start it with \`--profile ${key}\``));
    } else if (whyNot === 'start' || whyNot === 'profiles') {
      const why = whyNot === 'start' ? 'it is started by hand' : 'it has profiles';
      add(lost(`${why}, so the output does not contain it`, `remove \`${whyNot}\` and export again to have it`));
    } else if (isConditional) {
      const why = 'it is not enabled unless a variable is set, so the output does not contain it';
      add(lost(why, 'write `enabled: true` and export again to have it'));
    } else add(lost('it is not enabled, so the output does not contain it'));
  }
  return source.services.filter(({ isStarted }) => isStarted || profiles !== undefined);
}

/** Reports what every output with one container per service reports, by the rules of its format. */
export function reportPerService(
  source: ExportSource,
  services: readonly ExportService[],
  { image, rules, top }: { readonly image: string; readonly rules: Rules; readonly top: Rules },
  reporter: Reporter,
): void {
  reportServices(source, services, rules, reporter);
  reportTop(source, top, reporter);
  reportReferences(source, services, reporter);
  reportEnvironments(source, services, reporter);
  reportSeparation(services, image, reporter);
}

/** The rule of `hooks.before_stop` of an engine that runs a command there; `why`: it cannot wait for a probe. */
export function beforeStopRule(why: string): Rule {
  return ({ hooks: { beforeStop } }) => {
    if (beforeStop === null) return null;
    if ('waitFor' in beforeStop) return lost(why, 'write a command that waits');
    return beforeStop.timeout === null ? null : changed('the grace period alone limits its time');
  };
}

/** Reports every variable whose default, or whose reference, is a fixed text in the output. */
function reportReferences(source: ExportSource, services: readonly ExportService[], reporter: Reporter): void {
  const keys = new Set(services.map(({ key }) => key));
  for (const { name, written, path } of source.references) {
    if (source.kept.has(name) || (path[0] === 'services' && !keys.has(String(path[1])))) continue;
    const stand = source.assumed.get(name);
    const remark =
      stand === undefined
        ? changed(`the default is a fixed text in the output, and ${name} no longer changes it`, 'edit the output')
        : look(`${name} has no default, and the output contains ${stand} in its place`, 'put in its value');
    reporter.add(path, `\`${written}\``, remark);
  }
}

const RUNS_ONCE = lost(
  'no engine starts a container by a schedule, and the output runs it once',
  'start its container from cron or a timer of the machine',
);

const NO_LOG_FILE = lost('the engine writes the logs', 'let the program write the file, or collect the logs');

/** Rules for the fields that are the same for every engine. */
export const PER_SERVICE: Rules = {
  max_memory: lost('no engine restarts a container for its memory', 'limit the memory of its container'),
  memory_limit: 'kept',
  oom_group: lost('the engine decides what the kernel ends'),
  on_exceed: lost('no engine restarts a container for its memory'),
  schedule: RUNS_ONCE,
  every: RUNS_ONCE,
  time_zone: lost('the output has no schedule'),
  overlap: lost('the output has no schedule'),
  catch_up: lost('the output has no schedule'),
  jitter: lost('the output has no schedule'),
  command: 'kept',
  type: 'kept',
  enabled: 'kept',
  start: 'kept',
  profiles: 'kept',
  group: 'kept',
  depends_on: 'kept',
  ready: 'kept',
  live: 'kept',
  env: 'kept',
  env_file: 'kept',
  cwd: 'kept',
  port: 'kept',
  ports: 'kept',
  replicas: 'kept',
  start_timeout: 'kept',
  venv: ({ config }) =>
    config.venv === null || isAbsolute(config.venv)
      ? null
      : look(`it is relative to ${CONFIG_FOLDER} in the output`, 'write an absolute path'),
  umask: 'kept',
  nice: 'kept',
  'hooks.before_start': ({ config }) =>
    config.hooks.before_start?.timeout == null
      ? null
      : lost('nothing limits its time', 'write `timeout` before the command'),
  'hooks.after_ready': lost(
    'there is no hook that runs once the service is ready',
    'make it a task that depends on it',
  ),
  'hooks.after_exit': lost('nothing runs after a container has ended', 'do it in `before_start` of the next run'),
  start_stall: lost('no engine compares the output of a start'),
  success_codes: ({ config }) =>
    config.success_codes.length === 1 && config.success_codes[0] === 0
      ? null
      : changed('for the engine 0 is a success and any other exit code a failure', 'map the code in the command'),
  essential: ({ config }) =>
    config.essential && config.schedule === null && config.every === null
      ? null
      : changed('the output does not tell essential services from others: the end of any has the same effect'),
  forward: lost(
    'a signal reaches one container, and no supervisor forwards it',
    "send it with the engine's own command",
  ),
  'stop.to': ({ config }) =>
    config.stop.to === 'group' ? changed('the signal goes to the first process of the container only') : null,
  'stop.leftover_timeout': changed('all processes of a container are killed as soon as its first process has ended'),
  'log.prefix': 'kept',
  'log.format': ({ config }) =>
    config.log.format === 'json' ? lost('the engine stores the lines as they are', 'use its log driver') : null,
  'log.time': ({ config }) =>
    config.log.time ? lost('the engine stores the lines as they are', 'let it print times: `logs --timestamps`') : null,
  'log.merge': lost('the engine stores the lines as they are'),
  'log.when_full': lost('the engine decides what happens when its log is full'),
  'log.ansi': lost('the engine stores the lines as they are'),
  'log.drop': lost('the engine drops no lines', 'drop them where the logs are collected'),
  'log.file': NO_LOG_FILE,
  'log.stderr_file': NO_LOG_FILE,
  'restart.within': lost('the engine counts restarts in its own way'),
  'restart.backoff': lost('the engine has waiting times of its own between restarts'),
  env_inherit: ({ config }) =>
    config.env_inherit === 'all'
      ? null
      : changed('a container gets the variables of its image and its own `env`, and no others'),
};

/** The fields at the top of the file. */
export const PER_SERVICE_TOP: Rules = {
  name: 'kept',
  exit: 'kept',
  stop_timeout: 'kept',
  stop_signals: lost('each container gets the stop signal of its own service'),
  env: 'kept',
  env_file: 'kept',
  groups: 'kept',
  defaults: 'kept',
  services: 'kept',
  hosts: 'kept',
  log: lost('svc-super does not run in the output'),
  control: lost('svc-super does not run in the output', "use the engine's own commands"),
};

/** Says once what the services no longer share. */
function reportSeparation(services: readonly ExportService[], image: string, reporter: Reporter): void {
  reporter.addGeneral(
    'the image',
    look(`all services run from ${image}`, 'where a service has an image of its own, change `image` in the output'),
  );
  if (services.length < 2) return;
  const why = 'each service has its own, so a file that one writes is not there for another';
  reporter.addGeneral('the file system', changed(why, 'mount a volume at every folder that services share'));
}
