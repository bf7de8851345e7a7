// Health checks of a Nosana job from `ready` probes. The node compares the status of an HTTP answer with one number, and
// nothing else (nosana-cli, src/providers; the schema of @nosana/types).
import type { HttpProbe, Probe } from '../../plan/plan.ts';
import { bodyFields } from './http-probe.ts';
import { changed, lost, type Reporter } from './report.ts';
import type { ExportService, ExportSource } from './source.ts';

export interface NosanaHealthCheck {
  readonly type: 'http';
  readonly path: string;
  readonly method: string;
  readonly expected_status: number;
  readonly continuous: boolean;
}

/** A port of `expose`: the bare number where no check is asked of it. */
export type NosanaPort = number | { readonly port: number; readonly health_checks: readonly NosanaHealthCheck[] };

const OK = 200;

/** The methods of a health check. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE']);

/** Why no health check can send the request of a probe; null: one can. */
function whyNot(probe: Probe, { config }: ExportService): string | null {
  const but = (what: string): string =>
    `Nosana has health checks for HTTP on the service's own ports only, not ${what}`;
  if (probe.kind !== 'http') return but(`this \`${probe.kind}\` probe`);
  if (probe.socket !== null) return but('on a unix socket');
  if (probe.scheme !== 'http') return but('HTTPS');
  if (!config.ports.includes(probe.port)) return but(`on port ${probe.port}`);
  if (METHODS.has(probe.method)) return null;
  return `Nosana has health checks with the methods ${[...METHODS].join(', ')} only, not ${probe.method}`;
}

/** Whether what waits for the service to be ready waits for that: it has no probe, or one that becomes a health check. */
export const isChecked = (service: ExportService): boolean =>
  service.ready.length === 0 || service.ready.some((probe) => whyNot(probe, service) === null);

/** The ports of a service with the health checks of its `ready` probes. Reports what a check leaves out. */
export function exposePorts(
  { has }: ExportSource,
  service: ExportService,
  isWhole: boolean,
  reporter: Reporter,
): readonly NosanaPort[] {
  const { config, ready, key } = service;
  const checks = ready.flatMap((given, index) => {
    const path = ['services', key, 'ready', index];
    const what = `\`ready\` of ${key}`;
    const why = whyNot(given, service);
    if (given.kind !== 'http' || why !== null) {
      if (!isWhole && why !== null)
        reporter.add(path, what, lost(why, 'give the service an HTTP path that answers 200 when it is ready'));
      return [];
    }
    const ignored = ignoredParts(given);
    if (ignored.length > 0) {
      const rest = isWhole ? '; svc-super in the container checks the rest' : '';
      reporter.add(path, what, changed(`Nosana compares the status only, not ${ignored.join(', ')}${rest}`));
    }
    const times = ['timeout', 'interval', 'start_interval', 'successes'].filter((one) => has([...path, one]));
    if (!isWhole && times.length > 0) reporter.add(path, what, lost(`the node has its own ${times.join(', ')}`));
    return [{ port: given.port, check: toCheck(given) }];
  });
  return config.ports.map((port) => {
    const own = checks.filter((one) => one.port === port).map(({ check }) => check);
    return own.length === 0 ? port : { port, health_checks: own };
  });
}

function toCheck({ path, method, status, continuous }: HttpProbe): NosanaHealthCheck {
  const isOk = status.some(([first, last]) => first <= OK && OK <= last);
  return { type: 'http', path, method, expected_status: isOk ? OK : (status[0]?.[0] ?? OK), continuous };
}

/** What the probe looks at besides the one status. */
function ignoredParts(probe: HttpProbe): readonly string[] {
  const { status, headers, body, host } = probe;
  const [[first, last] = [0, 0], ...more] = status;
  return [
    ...(more.length > 0 || first !== last ? ['a range of statuses'] : []),
    ...(host === '127.0.0.1' ? [] : ['`host`']),
    ...bodyFields(probe),
    ...(Object.keys(headers).length === 0 ? [] : ['`headers`']),
    ...(body === null ? [] : ['`body`']),
  ];
}
