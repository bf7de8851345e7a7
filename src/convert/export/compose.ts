// `export compose`: one service of Compose for each service. All use the network of one small container, so that 127.0.0.1 means
// the same as before. Facts: the Compose specification (compose-spec.io), docker run(1).
import { formatDuration } from '../../config/quantity.ts';
import type { Condition } from '../../plan/plan.ts';
import { gpuSettings } from './compose-gpus.ts';
import { toHealthCheck } from './compose-health.ts';
import { reportSecrets } from './environment-report.ts';
import type { Exporter } from './format.ts';
import { freeLabel, toLabel, toLabels } from './names.ts';
import { singleEdges } from './order.ts';
import { beforeStopRule, includedServices, PER_SERVICE, PER_SERVICE_TOP, reportPerService } from './per-service.ts';
import { changed, look, lost, type Reporter, type Rules, reportExit } from './report.ts';
import { literalEnvironment, preStopCommands, wrappedCommand } from './shell.ts';
import type { ExportService, ExportSource } from './source.ts';
import { replaceMarks } from './variables.ts';
import { compact, renderYaml } from './yaml.ts';

const GPU_LOST = lost('Docker gives a container the devices without asking whether they are free');
const ENV_FILE = look(
  'Compose reads it on the machine that it runs on, beside compose.yaml, and replaces `$NAME` in it',
  'put it there before Compose starts, also if a task writes it here, and write `$$` for a `$`',
);
const RULES: Rules = {
  ...PER_SERVICE,
  env_file: ENV_FILE,
  live: lost('Docker does not restart a container that is unhealthy', 'let the program exit when it is not well'),
  start_timeout: changed('Docker waits so long before it counts failures, and never ends a start'),
  user: 'kept',
  limits: ({ config }) => (config.limits.has('as') ? lost('Docker has no limit of the address space (`as`)') : null),
  oom_score_adj: 'kept',
  cpus: 'kept',
  'restart.policy': 'kept',
  'restart.max': ({ config }) =>
    config.restart.policy === 'on-failure' ? null : lost('Docker counts restarts for `on-failure` only'),
  'stop.signal': 'kept',
  'stop.timeout': 'kept',
  'stop.command': changed('it runs before the stop signal, not instead of it'),
  'hooks.before_stop': beforeStopRule('Compose cannot wait for a probe before it stops a service'),
  'gpus.count': 'kept',
  'gpus.devices': 'kept',
  'gpus.share': 'kept',
  'gpus.optional': lost('without the GPU driver Docker does not start the container', 'remove `gpus` there'),
  'gpus.min_free': GPU_LOST,
  'gpus.free_timeout': GPU_LOST,
  'gpus.on_lost': lost('Docker does not ask the GPU driver'),
};

export const exportCompose: Exporter = (source, { image }, reporter) => {
  const services = includedServices(source, reporter, 'profiles');
  const top = { ...PER_SERVICE_TOP, env_file: ENV_FILE };
  reportPerService(source, services, { image, rules: RULES, top }, reporter);
  reportAbort(source, reporter);
  const labels = toLabels(services.map(({ name }) => name));
  const gpus = gpuSettings(services, reporter);
  const isShared = services.length > 1;
  const byName = new Map(services.map((service) => [service.name, service]));
  const network = freeLabel('network', new Set(labels.values()));
  const entries = services.map((service) => [
    labels.get(service.name) ?? service.name,
    compact({
      image,
      ...(isShared ? { network_mode: `service:${network}` } : publishing(source, services)),
      profiles: profilesOf(service),
      ...processSettings(source, service, reporter),
      gpus: gpus.get(service.name),
      healthcheck: toHealthCheck(service, reporter),
      depends_on: dependencies(service, byName, labels, reporter),
    }),
  ]);
  const project = {
    name: toLabel(source.name),
    services: Object.fromEntries([
      ...(isShared ? [[network, networkService(source, services, image)]] : []),
      ...entries,
    ]),
  };
  const text = `${heading(source)}${renderYaml(escapeAll(project, source))}`;
  return [{ name: 'compose.yaml', text }];
};

/** Its own profiles; a service that does not start by itself has one of its name. */
function profilesOf({ key, config, isStarted }: ExportService): readonly string[] {
  if (isStarted) return [];
  return config.enabled && config.profiles !== null && config.profiles.length > 0 ? config.profiles : [key];
}

function heading(source: ExportSource): string {
  const flag = abortFlag(source);
  return [
    '# Made by `svc-super export compose`. All services use the network of the service `network`, so that they reach each other',
    '# at 127.0.0.1, as in one container.',
    `#   docker compose up${flag === null ? '' : ` ${flag}`}`,
    '',
  ].join('\n');
}

/** Holds the network and the published ports; its end would end the network of all others. */
function networkService(source: ExportSource, services: readonly ExportService[], image: string): object {
  return { image, init: true, entrypoint: ['sleep', 'infinity'], ...publishing(source, services) };
}

function publishing(source: ExportSource, services: readonly ExportService[]): object {
  const ports = [...new Set(services.flatMap(({ config }) => config.ports))].map((port) => `${port}:${port}`);
  const names = [...new Set(services.flatMap(({ name, key }) => [name, key]))];
  const hosts = source.config.hosts ? names.map((name) => `${name}=127.0.0.1`) : [];
  return compact({ ports, extra_hosts: hosts });
}

/** What runs, as whom, where, and how it is stopped. */
function processSettings(source: ExportSource, service: ExportService, reporter: Reporter): Record<string, unknown> {
  const { config } = service;
  const { user, cwd, stop, oom_score_adj, cpus, restart } = config;
  reportSecrets(source, service, { place: 'container', instead: 'mount it with `secrets`' }, reporter);
  return {
    entrypoint: wrappedCommand(source, service),
    // Under svc-super no service was PID 1, which ignores signals that it does not handle.
    init: true,
    user: user === null ? null : [user.user, ...(user.group === null ? [] : [user.group])].join(':'),
    working_dir: cwd,
    environment: literalEnvironment(source, service),
    env_file: [...source.config.env_file, ...config.env_file].map(({ path, required }) => ({ path, required })),
    restart: restartPolicy(restart),
    stop_signal: stop.signal === 'SIGTERM' ? null : stop.signal,
    stop_grace_period: formatDuration(stop.timeout ?? source.config.stop_timeout),
    pre_stop: preStopCommands(service).map((command) => ({ command })),
    ulimits: ulimits(config),
    oom_score_adj,
    mem_limit: config.memory_limit,
    cpuset: cpus === null ? null : cpus.join(','),
  };
}

function restartPolicy({ policy, max }: ExportService['config']['restart']): string {
  if (policy === 'never') return 'no';
  return policy === 'on-failure' && max !== null ? `on-failure:${max}` : policy;
}

/** Docker writes -1 for no limit. */
function ulimits({ limits }: ExportService['config']): object {
  const known = [...limits].filter(([name]) => name !== 'as');
  const number = (value: number | null): number => value ?? -1;
  return Object.fromEntries(known.map(([name, { soft, hard }]) => [name, { soft: number(soft), hard: number(hard) }]));
}

const CONDITIONS = {
  started: 'service_started',
  ready: 'service_healthy',
  completed: 'service_completed_successfully',
  exited: 'service_completed_successfully',
} as const satisfies Readonly<Record<Condition, string>>;

function dependencies(
  service: ExportService,
  byName: ReadonlyMap<string, ExportService>,
  labels: ReadonlyMap<string, string>,
  reporter: Reporter,
): object {
  const path = ['services', service.key, 'depends_on'];
  const entries = singleEdges(service).flatMap(({ on, condition, restarts, choice }) => {
    const target = byName.get(on);
    const what = `\`depends_on\` ${choice?.of ?? on} of ${service.key}`;
    if (target === undefined) {
      reporter.add(path, what, lost(`${on} is not in the output`));
      return [];
    }
    if (choice !== undefined) reporter.add(path, what, changed('Compose waits for every copy, not for some of them'));
    if (condition === 'exited')
      reporter.add(path, what, changed(`${on} has to succeed: Compose has no condition for any exit code`));
    if (restarts) reporter.add(path, what, changed('only `docker compose restart` restarts both, not a crash'));
    const canBeHealthy = target.ready.some(({ kind }) => kind !== 'log' && kind !== 'notify');
    const isReady = condition === 'ready' && canBeHealthy;
    if (condition === 'ready' && target.ready.length > 0 && !canBeHealthy) {
      reporter.add(path, what, changed(`${on} has no health check, so Compose waits only until it has started`));
    }
    const word = condition === 'ready' && !isReady ? CONDITIONS.started : CONDITIONS[condition];
    const isOptional = !target.isStarted && profilesOf(target).join() !== profilesOf(service).join();
    if (isOptional) reporter.add(path, what, changed(`Compose does not wait for ${on} while its profile is off`));
    const optional = isOptional ? { required: false } : {};
    return [[labels.get(on) ?? on, { condition: word, ...(restarts ? { restart: true } : {}), ...optional }]];
  });
  return Object.fromEntries(entries);
}

/** What makes Compose stop everything when one container ends; null: nothing does. A task may end without that. */
function abortFlag({ config, services }: ExportSource): string | null {
  if (config.exit === 'all') return null;
  const hasTasks = services.some((service) => service.isStarted && service.config.type === 'task');
  return config.exit === 'failure' || hasTasks ? '--abort-on-container-failure' : '--abort-on-container-exit';
}

function reportAbort(source: ExportSource, reporter: Reporter): void {
  const flag = abortFlag(source);
  if (flag === null) return;
  const remark = changed('Compose goes on when a container has ended', `start it with \`docker compose up ${flag}\``);
  reportExit(source, remark, reporter);
}

/** Doubles every `$`, which Compose would read as a variable, and writes the references that Compose is to fill in. */
function escapeAll(value: unknown, { kept }: ExportSource): object {
  const escapeText = (text: string): string =>
    replaceMarks(
      text.replaceAll('$', () => '$$'),
      (name) => kept.get(name) ?? `\${${name}:?}`,
    );
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return escapeText(one);
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(value) as object;
}
