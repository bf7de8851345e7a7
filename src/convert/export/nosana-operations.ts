// `export nosana --per-service`: one operation per service, with groups, dependencies and health checks. A group begins when all
// operations of the group before it have ended, and a dependency must be in the same group (nosana-cli, src/providers).
import { reportSecrets } from './environment-report.ts';
import type { ExportOptions, OutputFile } from './format.ts';
import { hostsByPort, rewriteLoopback } from './loopback.ts';
import { toLabel, toLabels } from './names.ts';
import { exposePorts, isChecked } from './nosana-health.ts';
import { renderJob } from './nosana-job.ts';
import { inStartOrder, singleEdges } from './order.ts';
import { includedServices, PER_SERVICE, PER_SERVICE_TOP, reportPerService } from './per-service.ts';
import { changed, look, lost, type Reporter, type Rules } from './report.ts';
import { environmentFiles, literalEnvironment, wrappedCommand } from './shell.ts';
import type { ExportService, ExportSource } from './source.ts';

const RULES: Rules = {
  ...PER_SERVICE,
  user: lost("a job has no setting for the user: the image's own runs", 'set `USER` in the image of the service'),
  limits: ({ config }) => lost(`a job has no resource limits (${[...config.limits.keys()].join(', ')})`),
  type: ({ config }) =>
    config.type === 'task' ? changed('any operation may end: a job does not distinguish tasks from services') : null,
  memory_limit: lost('a job has no limit of memory', 'choose a market with enough memory'),
  oom_score_adj: lost('a job has no setting for it'),
  cpus: lost('a job cannot choose processors'),
  'stop.signal': lost("the node's own signal stops a container"),
  'stop.timeout': lost("the node's own time limits a stop"),
  'stop.command': lost("the node's own signal stops a container"),
  live: lost('a health check of Nosana does not restart a service', 'use `restart_policy` and let the program exit'),
  start_timeout: lost('the node has no limit for a start'),
  'restart.policy': 'kept',
  'restart.max': ({ config }) =>
    config.restart.policy === 'on-failure' ? null : lost('a maximum exists for `on-failure` only'),
  'hooks.before_stop': lost('nothing runs before a container is stopped'),
  'gpus.count': changed('an operation only says that it needs GPUs, and operations on a node share them'),
  'gpus.devices': changed('an operation only says that it needs GPUs, and operations on a node share them'),
  'gpus.share': changed('an operation only says that it needs GPUs, not how many'),
  gpus: lost('an operation only says that it needs GPUs'),
};

const TOP_RULES: Rules = {
  ...PER_SERVICE_TOP,
  exit: changed('each operation ends by itself, and the job ends when all have ended'),
  stop_timeout: lost("the node's own time limits a stop"),
  hosts: changed('each name resolves to the container of its service, not to 127.0.0.1'),
};

export function exportOperations(
  source: ExportSource,
  { image }: ExportOptions,
  reporter: Reporter,
): readonly OutputFile[] {
  const services = includedServices(source, reporter);
  reportPerService(source, services, { image, rules: RULES, top: TOP_RULES }, reporter);
  if (source.config.exit === 'first' && !source.has(['exit'])) {
    const why = 'the first service to end no longer ends the others: the job ends when all operations have ended';
    reporter.addGeneral('`exit: first`, the default', changed(why));
  }
  const labels = toLabels(services.map(({ name }) => name));
  const groups = placeInGroups(source, services);
  reportEndless(source, services, groups, reporter);
  const hosts = hostsByPort(services, labels);
  const ops = services.map((service) => {
    const group = groups.get(service.name) ?? '';
    return {
      type: 'container/run',
      id: labels.get(service.name),
      args: toArguments(source, service, { image, hosts, reporter }),
      execution: { group, ...dependencies(service, services, groups, labels, reporter) },
    };
  });
  return [renderJob(source, ops)];
}

interface OperationContext {
  readonly image: string;
  readonly hosts: ReadonlyMap<number, string>;
  readonly reporter: Reporter;
}

function toArguments(
  source: ExportSource,
  service: ExportService,
  { image, hosts, reporter }: OperationContext,
): object {
  const { key, config } = service;
  const rewrite = (text: string, path: readonly string[]): string => {
    const { text: result, ports } = rewriteLoopback(text, hosts, config.ports);
    for (const port of new Set(ports)) {
      const host = hosts.get(port) ?? '';
      const why = `each operation has its own network, so 127.0.0.1:${port} is now ${host}:${port}`;
      reporter.add(path, `port ${port} in ${key}`, changed(why, `let ${host} listen on 0.0.0.0`));
    }
    return result;
  };
  const [program = '', ...rest] = wrappedCommand(source, service).map((word) =>
    rewrite(word, ['services', key, 'command']),
  );
  const env = Object.fromEntries(
    Object.entries(literalEnvironment(source, service)).map(([name, value]) => [
      name,
      rewrite(value, ['services', key, 'env', name]),
    ]),
  );
  for (const { path } of environmentFiles(source, service)) {
    const remark = lost(`a job reads no environment file (${path})`, 'write its variables in `env`');
    reporter.add(['services', key, 'env_file'], `\`env_file\` of ${key}`, remark);
  }
  reportSecrets(source, service, { place: 'image', instead: 'put the file into the image' }, reporter);
  const expose = exposePorts(source, service, false, reporter);
  const { cwd, restart, gpus } = config;
  const wantsGpu = gpus !== null && gpus.wish !== 0;
  return {
    image,
    entrypoint: [program],
    ...(rest.length === 0 ? {} : { cmd: rest }),
    ...(cwd === null ? {} : { work_dir: cwd }),
    ...(wantsGpu ? { gpu: true } : {}),
    ...(expose.length === 0 ? {} : { expose }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...restartPolicy(restart),
  };
}

function restartPolicy({ policy, max }: ExportService['config']['restart']): object {
  if (policy === 'never') return {};
  if (policy === 'on-failure' && max !== null) return { restart_policy: { policy, restart_tries: max } };
  return { restart_policy: policy };
}

/** The group of each service. One without a group joins the latest group that it waits for, or the first. */
function placeInGroups(source: ExportSource, services: readonly ExportService[]): ReadonlyMap<string, string> {
  const used = source.groups.filter((group) => services.some(({ config }) => config.group === group));
  const order = used.length === 0 ? [toLabel(source.name)] : used;
  const places = new Map<string, number>();
  for (const { name, config, edges } of inStartOrder(services)) {
    const waits = Math.max(0, ...edges.map(({ on }) => places.get(on) ?? 0));
    places.set(name, config.group === null ? waits : Math.max(0, order.indexOf(config.group)));
  }
  return new Map([...places].map(([name, at]) => [name, order[at] ?? '']));
}

/** Reports services of all groups but the last: the next group waits until they end. */
function reportEndless(
  { groups: stages }: ExportSource,
  services: readonly ExportService[],
  groups: ReadonlyMap<string, string>,
  reporter: Reporter,
): void {
  const last = stages.findLast((stage) => [...groups.values()].includes(stage));
  const reported = new Set<string>();
  for (const { name, key, config } of services) {
    const group = groups.get(name);
    if (last === undefined || group === last || config.type === 'task' || reported.has(key)) continue;
    reported.add(key);
    const why = `the group \`${last}\` begins only when all operations of \`${group}\` have ended, and ${key} is a service`;
    reporter.add(
      ['services', key, 'group'],
      `the group of ${key}`,
      look(why, 'give services that run together one `group`'),
    );
  }
}

/** `depends_on` within the group; the order of groups stands for the rest. */
function dependencies(
  service: ExportService,
  services: readonly ExportService[],
  groups: ReadonlyMap<string, string>,
  labels: ReadonlyMap<string, string>,
  reporter: Reporter,
): object {
  const own = groups.get(service.name);
  const declared = singleEdges(service).filter(({ origin }) => origin === 'declared');
  for (const { on, condition, restarts, choice } of declared) {
    const path = ['services', service.key, 'depends_on'];
    const what = `\`depends_on\` ${choice?.of ?? on} of ${service.key}`;
    if (choice !== undefined) reporter.add(path, what, changed('Nosana waits for every copy, not for some of them'));
    if (restarts)
      reporter.add(path, what, lost('Nosana does not restart an operation when one that it depends on restarts'));
    const target = services.find(({ name }) => name === on);
    if (condition === 'ready' && groups.get(on) === own && target !== undefined && !isChecked(target)) {
      const why = `${on} has no health check, so Nosana waits only until it has started`;
      reporter.add(path, what, changed(why, `give ${on} an HTTP path that answers 200 when it is ready`));
    }
    if (groups.get(on) !== own) {
      const why =
        'it becomes the order of the groups: a group begins when all operations of the earlier one have ended';
      reporter.add(path, what, changed(why));
    } else if (condition !== 'ready' && condition !== 'started') {
      const why = `Nosana waits until ${on} runs or is healthy, not until it is \`${condition}\``;
      reporter.add(path, what, changed(why, 'let the command wait for the result'));
    }
  }
  const same = declared.filter(({ on }) => groups.get(on) === own).map(({ on }) => labels.get(on) ?? on);
  return same.length === 0 ? {} : { depends_on: same };
}
