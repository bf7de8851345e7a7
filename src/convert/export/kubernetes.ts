// `export kubernetes`: one Pod, as a Deployment or a Job, and a Service for its ports. By default each service is a container:
// tasks and awaited services are init containers, the latter as native sidecars (Kubernetes 1.29) with a startup probe as gate.

import type { Exporter, ExportOptions, OutputFile } from './format.ts';
import { toContainer } from './kubernetes-container.ts';
import { CRON_RULES, splitScheduled, toCronJob } from './kubernetes-cron.ts';
import { type Pod, renderManifests, reportWorkload } from './kubernetes-manifests.ts';
import { exportOneContainer } from './kubernetes-one.ts';
import { toProbeFields } from './kubernetes-probes.ts';
import { assignRoles, isJob, type Role, reportRoles } from './kubernetes-roles.ts';
import { toLabels } from './names.ts';
import { awaitedConditions, inStartOrder } from './order.ts';
import { beforeStopRule, includedServices, PER_SERVICE, PER_SERVICE_TOP, reportPerService } from './per-service.ts';
import { changed, lost, type Reporter, type Rules } from './report.ts';
import type { ExportSource } from './source.ts';

const GPU_LOST = lost('the scheduler gives a container whole devices that no other container has');
const RULES: Rules = {
  ...PER_SERVICE,
  ...CRON_RULES,
  start_timeout: changed('past it the kubelet restarts the container, and the others go on'),
  user: 'kept',
  limits: ({ config }) =>
    lost(
      `Kubernetes has no resource limits of processes (${[...config.limits.keys()].join(', ')})`,
      'set them in the container runtime',
    ),
  oom_score_adj: lost('the kubelet sets it by the class of the Pod', 'set requests and limits of memory'),
  cpus: lost('a Pod cannot choose processors', 'ask for whole CPUs, with the static CPU manager'),
  'restart.policy': 'kept',
  'restart.max': lost('the kubelet restarts without end'),
  'stop.signal': 'kept',
  'stop.timeout': changed('the whole Pod has one grace period'),
  'stop.command': changed('SIGTERM follows it'),
  'hooks.before_stop': beforeStopRule('a Pod cannot wait for a probe before it stops'),
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
  const included = includedServices(source, reporter);
  reportPerService(source, included, { image, rules: RULES, top: PER_SERVICE_TOP }, reporter);
  const { scheduled, others: services } = splitScheduled(included, reporter);
  const labels = toLabels(included.map(({ name }) => name));
  const jobs = scheduled.flatMap((service) => {
    const name = labels.get(service.name) ?? service.name;
    return toCronJob(source, service, name, toContainer(source, service, { name, image }, reporter)) ?? [];
  });
  if (services.length === 0) return [renderManifests(source, null, jobs)];
  const roles = assignRoles(source, services);
  reportRoles(source, services, roles, reporter);
  const awaited = awaitedConditions(services);
  const containers = inStartOrder(services).map((service) => {
    const role = roles.get(service.name) ?? 'main';
    const isGate = awaited.get(service.name)?.has('ready') === true;
    const name = labels.get(service.name) ?? service.name;
    const container = toContainer(source, service, { name, image }, reporter);
    const probes = role === 'task' ? {} : toProbeFields(service, { isGate, isSidecar: role === 'sidecar' }, reporter);
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
  return [renderManifests(source, pod, jobs)];
}
