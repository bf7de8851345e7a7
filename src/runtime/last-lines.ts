// Chooses the log lines of a post-mortem: the last 20 of a service or, if an earlier line looks like an error, all lines from
// that one on. Leaves out access-log lines of probes. Limits the number of lines and the time per line. Pure.
import type { HttpProbe, Plan, ServicePlan } from '../plan/plan.ts';

/** Lines of a post-mortem without an error. */
const LAST = 20;
/** Lines of a post-mortem at most. */
const MOST = 60;
/** The number of last lines that are searched for an error. */
export const SEARCHED = 200;
/** Only this much of a line is matched, characters. */
const TRIED = 2_000;

interface LastLines {
  readonly lines: readonly string[];
  /** How many lines of the chosen range are left out, because probes caused them; without any other line, all. */
  readonly leftOut: number;
}

/** A request of a probe, as programs write it into their access logs. */
interface ProbeRequest {
  readonly method: string;
  readonly path: string;
}

/** The HTTP requests that probes of any service send to this service. */
export function probeRequestsTo(service: ServicePlan, plan: Pick<Plan, 'services'>): readonly ProbeRequest[] {
  const ports = new Set(service.ports);
  return plan.services.flatMap(({ name, ready, live, hooks: { beforeStop } }) => {
    const drain = beforeStop !== null && 'waitFor' in beforeStop ? [beforeStop.waitFor] : [];
    return [...ready, ...live, ...drain].filter(
      (probe): probe is HttpProbe => probe.kind === 'http' && (name === service.name || ports.has(probe.port)),
    );
  });
}

/** `lines` are the last ones of the service, oldest first; only the last SEARCHED of them are considered. */
export function chooseLastLines(lines: readonly string[], requests: readonly ProbeRequest[]): LastLines {
  const recent = lines.slice(-SEARCHED);
  const isOfProbe = probeLinePattern(requests);
  const kept = recent.flatMap((line, at) => (isOfProbe(line) && !looksLikeError(line) ? [] : [{ line, at }]));
  const error = kept.findIndex(({ line }) => looksLikeError(line));
  const last = Math.max(0, kept.length - LAST);
  const from = error < 0 ? last : Math.min(error, last);
  const chosen = kept.slice(from);
  const first = chosen[0]?.at ?? 0;
  const leftOut = recent.length - first - chosen.length;
  const texts = chosen.map(({ line }) => line);
  if (texts.length <= MOST) return { lines: texts, leftOut };
  const gap = texts.length - MOST + 1;
  return { lines: [...texts.slice(0, MOST - LAST - 1), `[${gap} lines left out]`, ...texts.slice(-LAST)], leftOut };
}

/**
 * Signs of an error in the logs of Python, Go, Java, Node, glog and of the C runtime. A wrong match only makes the
 * post-mortem begin some lines earlier.
 */
const ERRORS = [
  /\b(?:ERROR|FATAL|CRITICAL|PANIC|EMERG)\b/,
  /Traceback \(most recent call last\)/,
  // `RuntimeError: …`, `java.lang.OutOfMemoryError`, `Exception in thread`
  /(?:Error|Exception)(?=[:\s]|$)/,
  /\b(?:error|fatal|panic)\s?[:\]=]/,
  /(?:\[|level"?[=:]\s?"?)(?:error|fatal|panic|critical|err|crit|emerg)\b/i,
  /^[EF]\d{4} /,
  /\b(?:terminate called|Segmentation fault|core dumped|[Oo]ut of memory)\b/,
];

export function looksLikeError(line: string): boolean {
  const tried = line.slice(0, TRIED);
  return ERRORS.some((pattern) => pattern.test(tried));
}

/** Returns a test for lines that log a request of a probe: `"GET /health HTTP/1.1" 200`, `GET "/health"`. */
function probeLinePattern(requests: readonly ProbeRequest[]): (line: string) => boolean {
  if (requests.length === 0) return () => false;
  const each = requests.map(({ method, path }) => `${method}\\s{1,9}["']?${escapeRegExp(path.split('?', 1)[0] ?? '')}`);
  const pattern = new RegExp(`\\b(?:${[...new Set(each)].join('|')})(?=["'?\\s]|$)`);
  return (line) => pattern.test(line.slice(0, TRIED));
}

const escapeRegExp = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}/-]/g, '\\$&');
