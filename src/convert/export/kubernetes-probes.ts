// Probes of Kubernetes from `ready` and `live`. A container has one of each kind; the kubelet connects to the address of the Pod,
// not to 127.0.0.1 (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes).

import type { HttpProbe, Probe } from '../../plan/plan.ts';
import { toSecondsFromOne } from '../quantities.ts';
import { bodyFields, isUsualStatus } from './http-probe.ts';
import { changed, look, lost, type Reporter } from './report.ts';
import type { ExportService } from './source.ts';
import { compact } from './yaml.ts';

/** Between two attempts while a container starts, unless the probe gives its own. */
const START_PERIOD_SECONDS = 2;

/**
 * The probes of a service's container. `isGate`: other containers start only when it is ready. `isSidecar`: they start after its
 * startup probe in any case, so without a gate it has none.
 */
export function toProbeFields(
  service: ExportService,
  { isGate, isSidecar }: { readonly isGate: boolean; readonly isSidecar: boolean },
  reporter: Reporter,
): Record<string, unknown> {
  const { key, config } = service;
  const hasStartup = isGate || !isSidecar;
  const ready = chooseProbe(service, 'ready', hasStartup, reporter);
  const live = chooseProbe(service, 'live', hasStartup, reporter);
  if (isGate && ready === null && service.ready.length > 0) {
    const when = live === null ? 'as soon as it runs' : 'once its `live` probe succeeds';
    const why = `no probe of Kubernetes detects that it is ready, so its dependents start ${when}`;
    reporter.add(['services', key, 'ready'], `\`ready\` of ${key}`, changed(why));
  }
  const start = hasStartup ? (ready ?? live) : null;
  const isAsked = ready !== null && (ready.probe.continuous || start === null);
  // Without a startup probe the kubelet would end a slow start for its liveness probe.
  const isDelayed = live !== null && start === null && service.ready.length > 0;
  if (isDelayed) {
    const why = 'the liveness probe begins after `start_timeout`, even if the service is ready before';
    reporter.add(['services', key, 'live'], `\`live\` of ${key}`, changed(why, 'shorten `start_timeout`'));
  }
  const delay = isDelayed ? { initialDelaySeconds: toSecondsFromOne(config.start_timeout) } : {};
  return compact({
    startupProbe: start === null ? null : toStartupProbe(start, config.start_timeout),
    readinessProbe: isAsked ? toProbe(ready, { successThreshold: ready.probe.successes }) : null,
    livenessProbe: live === null ? null : toProbe(live, { ...delay, failureThreshold: live.probe.failures }),
  });
}

function toStartupProbe({ action, probe }: Chosen, timeout: number): object {
  const period = probe.startInterval === null ? START_PERIOD_SECONDS : toSecondsFromOne(probe.startInterval);
  return {
    ...action,
    timeoutSeconds: toSecondsFromOne(probe.timeout),
    periodSeconds: period,
    failureThreshold: Math.max(1, Math.ceil(timeout / 1000 / period)),
  };
}

function toProbe({ action, probe }: Chosen, thresholds: object): object {
  const times = { timeoutSeconds: toSecondsFromOne(probe.timeout), periodSeconds: toSecondsFromOne(probe.interval) };
  return { ...action, ...times, ...thresholds };
}

interface Chosen {
  readonly probe: Probe;
  readonly action: object;
}

/** The one probe that a container can have: the one that says most. Reports the others, and what differs. */
function chooseProbe(
  service: ExportService,
  role: 'ready' | 'live',
  hasStartup: boolean,
  reporter: Reporter,
): Chosen | null {
  const { key } = service;
  const possible = service[role].flatMap((probe, index) => {
    const action = toAction(probe);
    if (action !== null) return [{ probe, action, index }];
    const why = `Kubernetes has no probe that does what this \`${probe.kind}\` probe does`;
    reporter.add(
      ['services', key, role, index],
      `\`${role}\` of ${key}`,
      lost(why, 'write an `exec`, `http` or `tcp` probe'),
    );
    return [];
  });
  const best = Math.max(...possible.map(({ probe }) => weight(probe)));
  const chosen = possible.find(({ probe }) => weight(probe) === best);
  if (chosen === undefined) return null;
  for (const { index } of possible) {
    const path = ['services', key, role, index];
    const what = `\`${role}\` of ${key}`;
    const why = 'a container has one probe, and another one of the list says more';
    if (index !== chosen.index) reporter.add(path, what, lost(why, 'write one `exec` probe for all'));
    else reportDifferences(chosen.probe, role, hasStartup, (remark) => reporter.add(path, what, remark));
  }
  return chosen;
}

/**
 * How much a probe says about a service. Kubernetes compares only the status of an HTTP response; but a path whose body tells
 * something, such as /v1/models, most often has a status that does, too.
 */
function weight(probe: Probe): number {
  if (probe.kind !== 'http') return probe.kind === 'exec' ? 3 : 0;
  return bodyFields(probe).length === 0 ? 1 : 2;
}

function toAction(probe: Probe): object | null {
  if (probe.kind === 'exec') return { exec: { command: probe.argv } };
  if (probe.kind === 'file') return { exec: { command: ['test', '-e', probe.path] } };
  if (probe.kind === 'tcp') return probe.socket === null ? { tcpSocket: { port: probe.port } } : null;
  return probe.kind === 'http' && probe.socket === null && probe.method === 'GET'
    ? { httpGet: toHttpGet(probe) }
    : null;
}

function toHttpGet({ path, port, scheme, headers }: HttpProbe): object {
  const list = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return {
    path,
    port,
    ...(scheme === 'https' ? { scheme: 'HTTPS' } : {}),
    ...(list.length === 0 ? {} : { httpHeaders: list }),
  };
}

function reportDifferences(
  probe: Probe,
  role: 'ready' | 'live',
  hasStartup: boolean,
  add: (remark: ReturnType<typeof look>) => void,
): void {
  if (probe.successes > 1 && (role === 'live' || (hasStartup && !probe.continuous))) {
    add(changed(`one success is enough for a ${role === 'live' ? 'liveness' : 'startup'} probe`));
  }
  if (probe.kind === 'exec' || probe.kind === 'file') return;
  const where = "the kubelet connects to the Pod's address";
  if (probe.kind === 'tcp' || probe.kind === 'http') add(look(where, 'let the service listen on 0.0.0.0'));
  if (probe.kind !== 'http') return;
  const { body, verifyTls, scheme, host } = probe;
  const ignored = [
    ...(host === '127.0.0.1' ? [] : ['`host`']),
    ...(isUsualStatus(probe) ? [] : ['`status` (200 to 399 count as success)']),
    ...bodyFields(probe),
    ...(body === null ? [] : ['`body`']),
    ...(scheme === 'https' && verifyTls ? ['the certificate'] : []),
  ];
  if (ignored.length > 0) add(changed(`an HTTP probe of Kubernetes ignores ${ignored.join(', ')}`));
}
