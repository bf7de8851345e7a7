// The manifests around a Pod: Deployment or Job, and the Service for its ports. Facts: the API reference of Kubernetes, apps/v1,
// batch/v1, core/v1.
import { toSeconds } from '../quantities.ts';
import type { OutputFile } from './format.ts';
import { toLabel } from './names.ts';
import { changed, type Reporter, reportExit } from './report.ts';
import type { ExportSource } from './source.ts';
import { compact, renderYaml } from './yaml.ts';

/** Between the end of `stop_timeout` and the kubelet's SIGKILL. */
const GRACE_MARGIN_SECONDS = 5;

export interface Pod {
  readonly initContainers: readonly object[];
  readonly containers: readonly object[];
  readonly ports: readonly number[];
  readonly isJob: boolean;
  /** A Job starts a container again that has failed. */
  readonly retries: boolean;
  /** Names that resolve to 127.0.0.1. */
  readonly hostNames: readonly string[];
}

/** The file with all manifests: those of the Pod, if there is one, and others. */
export function renderManifests(source: ExportSource, pod: Pod | null, others: readonly object[] = []): OutputFile {
  const name = toLabel(source.name);
  const heading = `# Made by \`svc-super export kubernetes\`. Kubernetes 1.29 or newer.\n#   kubectl apply -f ${name}.yaml\n`;
  const documents = [...(pod === null ? [] : podManifests(source, pod, name)), ...others].map(renderYaml);
  return { name: `${name}.yaml`, text: `${heading}${documents.join('---\n')}` };
}

function podManifests(source: ExportSource, pod: Pod, name: string): readonly object[] {
  const labels = { 'app.kubernetes.io/name': name };
  const template = { metadata: { labels }, spec: podSpec(source, pod) };
  const workload = pod.isJob
    ? {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name, labels },
        spec: { backoffLimit: pod.retries ? 6 : 0, template },
      }
    : {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, labels },
        spec: { replicas: 1, strategy: { type: 'Recreate' }, selector: { matchLabels: labels }, template },
      };
  const ports = pod.ports.map((port) => ({ name: `port-${port}`, port }));
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec: { selector: labels, ports } };
  return [workload, ...(ports.length === 0 ? [] : [service])];
}

function podSpec({ config }: ExportSource, pod: Pod): object {
  const policy = pod.isJob ? { restartPolicy: pod.retries ? 'OnFailure' : 'Never' } : {};
  return compact({
    ...policy,
    // A Service called `vllm` would set VLLM_PORT=tcp://… in every container.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: toSeconds(config.stop_timeout) + GRACE_MARGIN_SECONDS,
    hostAliases: pod.hostNames.length === 0 ? [] : [{ ip: '127.0.0.1', hostnames: pod.hostNames }],
    initContainers: pod.initContainers,
    containers: pod.containers,
  });
}

/** Reports what `exit` becomes where each service is a container. */
export function reportWorkload(source: ExportSource, { isJob }: Pod, reporter: Reporter): void {
  const why = isJob
    ? 'the Job ends when all containers have ended, and fails when one has failed'
    : 'a Deployment runs on: the kubelet restarts a container that ends, and the others go on';
  if (source.config.exit !== 'all' || !isJob) reportExit(source, changed(why), reporter);
}
