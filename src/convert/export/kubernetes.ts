// `export kubernetes`: one Pod, as a Deployment or a Job, and a Service for its ports. By default each service is a container:
// tasks and awaited services are init containers, the latter as native sidecars (Kubernetes 1.29) with a startup probe as gate.

import type { Exporter, ExportOptions, OutputFile } from './format.ts';
import { toContainer } from './kubernetes-container.ts';
import { type Pod, renderManifests, reportWorkload } from './kubernetes-manifests.ts';
import { exportOneContainer } from './kubernetes-one.ts';
import { toProbeFields } from './kubernetes-probes.ts';
import { toLabels } from './names.ts';
import { inStartOrder, singleEdges } from './order.ts';
import { includedServices, PER_SERVICE, PER_SERVICE_TOP, reportReferences, reportSeparation } from './per-service.ts';
import { changed, lost, type Reporter, type Rules, reportServices, reportTop } from './report.ts';
import type { ExportService, ExportSource } from './source.ts';

const GPU_LOST = lost('the scheduler gives a container whole devices that no other container has');
const RULES: Rules = {
  ...PER_SERVICE,
  start_timeout: changed('past it the kubelet restarts the container, and the others go on'),
  user: 'kept',
  limits: lost('Kubernetes has no resource limits of processes', 'set them in the container runtime'),
  oom_score_adj: lost('the kubelet sets it by the class of the Pod', 'set requests and limits of memory'),
  cpus: lost('a Pod cannot choose processors', 'ask for whole CPUs, with the static CPU manager'),
  'restart.policy': 'kept',
  'restart.max': lost('the kubelet restarts without end'),
  'stop.signal': 'kept',
  'stop.timeout': changed('the whole Pod has one grace period'),
  'stop.command': changed('SIGTERM follows it'),
  'hooks.before_stop': ({ hooks }) =>
    hooks.beforeStop !== null && 'waitFor' in hooks.beforeStop
      ? lost('a Pod cannot wait for a probe before it stops', 'write a command that waits')
      : null,
  'gpus.count': 'kept',
  'gpus.devices': 'kept',
  'gpus.share': 'kept',
  'gpus.optional': lost('without a free GPU the Pod waits', 'remove the limit where there are no GPUs'),
  'gpus.min_free': GPU_LOST,
  'gpus.free_timeout': GPU_LOST,
  'gpus.on_lost': lost('the device plugin decides'),
};

export const exportKubernetes: Exporter = (source, options, reporter) =>
  options.oneContainer ? exportOneContainer(source, options, reporter) : exportPod(source, options, reporter);

function exportPod(source: ExportSource, { image }: ExportOptions, reporter: Reporter): readonly OutputFile[] {
  const services = includedServices(source, reporter);
  reportServices(source, services, RULES, reporter);
  reportTop(source, PER_SERVICE_TOP, reporter);
  reportReferences(source, services, reporter);
  reportSeparation(services, image, reporter);
  const labels = toLabels(services.map(({ name }) => name));
  const roles = assignRoles(source, services);
  reportRoles(services, roles, reporter);
  const containers = inStartOrder(services).map((service) => {
    const role = roles.get(service.name) ?? 'main';
    const isGate = services.some(({ edges }) =>
      edges.some(({ on, condition }) => on === service.name && condition === 'ready'),
    );
    const name = labels.get(service.name) ?? service.name;
    const container = toContainer(source, service, { name, image }, reporter);
    const probes = role === 'task' ? {} : toProbeFields(service, isGate, reporter);
    return { role, manifest: { ...container, ...(role === 'sidecar' ? { restartPolicy: 'Always' } : {}), ...probes } };
  });
  const pick = (...wanted: readonly Role[]): readonly object[] =>
    containers.filter(({ role }) => wanted.includes(role)).map(({ manifest }) => manifest);
  const pod: Pod = {
    initContainers: pick('task', 'sidecar'),
    containers: pick('main'),
    ports: [...new Set(services.flatMap(({ config }) => config.ports))],
    isJob: isJob(source, services),
    retries: services.some(({ config }) => config.restart.policy !== 'never'),
    hostNames: source.config.hosts ? [...new Set(services.flatMap(({ name, key }) => [name, key]))] : [],
  };
  reportWorkload(source, pod, reporter);
  return [renderManifests(source, pod)];
}

/** `task`: an init container that has to end; `sidecar`: one that runs on; `main`: a container. */
type Role = 'task' | 'sidecar' | 'main';

function isAwaited(service: ExportService, services: readonly ExportService[]): boolean {
  return services.some(({ edges }) => edges.some(({ on }) => on === service.name));
}

/** A Job: `exit: all`, or no service remains once the tasks have ended. */
function isJob({ config }: ExportSource, services: readonly ExportService[]): boolean {
  return config.exit === 'all' || services.every((one) => one.config.type === 'task' || isAwaited(one, services));
}

function assignRoles(source: ExportSource, services: readonly ExportService[]): ReadonlyMap<string, Role> {
  const job = isJob(source, services);
  return new Map(
    services.map((service): [string, Role] => {
      const { name, config } = service;
      const conditions = services.flatMap(({ edges }) =>
        edges.filter(({ on }) => on === name).map(({ condition }) => condition),
      );
      const hasToEnd = conditions.some((condition) => condition === 'completed' || condition === 'exited');
      if (hasToEnd) return [name, 'task'];
      if (conditions.length > 0) return [name, config.type === 'task' ? 'task' : 'sidecar'];
      return [name, config.type === 'task' && !job ? 'task' : 'main'];
    }),
  );
}

/** Reports what the order of init containers and the restarts of the kubelet change. */
function reportRoles(services: readonly ExportService[], roles: ReadonlyMap<string, Role>, reporter: Reporter): void {
  const first = services.filter(({ name }) => roles.get(name) !== 'main');
  if (first.length > 1) {
    const why = `init containers start one after the other: ${inStartOrder(first)
      .map(({ name }) => name)
      .join(', ')}`;
    reporter.addGeneral('the order of the start', changed(why));
  }
  const why = 'in its container it is PID 1, which ignores signals that it does not handle';
  reporter.addGeneral('each service', changed(why, 'write `exec svc-super init -- …` where a service ignores SIGTERM'));
  for (const service of services) {
    for (const { on, condition, restarts, choice } of singleEdges(service)) {
      const path = ['services', service.key, 'depends_on'];
      const what = `\`depends_on\` ${choice?.of ?? on} of ${service.key}`;
      if (choice !== undefined)
        reporter.add(path, what, changed('Kubernetes waits for every copy, not for some of them'));
      if (restarts) reporter.add(path, what, lost('the kubelet restarts each container by itself'));
      if (condition === 'exited')
        reporter.add(path, what, changed(`${on} has to succeed: an init container that fails runs again`));
    }
    const { key, config } = service;
    if (roles.get(service.name) === 'sidecar' && config.restart.policy === 'never') {
      reporter.add(
        ['services', key, 'restart'],
        `\`restart: never\` of ${key}`,
        changed('the kubelet restarts a sidecar whenever it ends'),
      );
    }
  }
}
