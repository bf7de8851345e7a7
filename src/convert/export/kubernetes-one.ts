// `export kubernetes --one-container`: the image of `export dockerfile` in one container. Nothing of services.yaml is lost:
// svc-super runs it inside.
import type { ExportOptions, OutputFile } from './format.ts';
import { renderManifests } from './kubernetes-manifests.ts';
import { toLabel } from './names.ts';
import { longestStart } from './order.ts';
import { changed, look, type Reporter, reportExit } from './report.ts';
import type { ExportSource } from './source.ts';
import {
  ENGINE_FIELDS,
  gpuDemand,
  publishedPorts,
  reportGpus,
  reportImage,
  reportOutside,
  reportRepeated,
} from './whole.ts';
import { compact } from './yaml.ts';

const PERIOD_SECONDS = 5;

export function exportOneContainer(
  source: ExportSource,
  { image }: ExportOptions,
  reporter: Reporter,
): readonly OutputFile[] {
  reportOutside(source, reporter);
  reportRepeated(source, ENGINE_FIELDS, reporter);
  reportImage('Kubernetes', reporter);
  const enabled = source.services.filter(({ isStarted }) => isStarted);
  const isTasksOnly = enabled.every(({ config }) => config.type === 'task');
  const isJob = source.config.exit === 'all' || isTasksOnly;
  if (!isJob) {
    const why = 'a Deployment restarts the container when it ends, whatever its exit code';
    reportExit(source, changed(why, 'use a Job if it is meant to end'), reporter);
  }
  const ports = publishedPorts(source).map(({ port }) => port);
  const attempts = Math.max(12, Math.ceil(longestStart(source.services) / 1000 / PERIOD_SECONDS));
  const probe = { exec: { command: ['svc-super', 'health'] }, periodSeconds: PERIOD_SECONDS, timeoutSeconds: 5 };
  const demand = demandOf(source, reporter);
  const container = compact({
    name: toLabel(source.name),
    image,
    ports: ports.map((port) => ({ containerPort: port })),
    resources: demand === 0 ? null : { limits: { 'nvidia.com/gpu': demand } },
    startupProbe: isTasksOnly ? null : { ...probe, failureThreshold: attempts },
    readinessProbe: isTasksOnly ? null : probe,
  });
  return [
    renderManifests(source, {
      initContainers: [],
      containers: [container],
      ports,
      isJob,
      retries: false,
      hostNames: [],
    }),
  ];
}

/** How many GPUs the limit names; 0: no limit. */
function demandOf(source: ExportSource, reporter: Reporter): number {
  const demand = gpuDemand(source.services);
  if (demand !== 'all') return demand ?? 0;
  reportGpus(
    source,
    look('a Pod has to ask for a number of GPUs, and the output asks for 1', 'correct the number'),
    reporter,
    'all',
  );
  return 1;
}
