// Authorization of TCP requests by their heads: Host and Origin must be those of this listener (protection against pages of
// other sites and DNS rebinding), and the token must match. Opens no socket. Pure except for the hash.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ControlPlan } from '../plan/plan.ts';

/** The head of a request. */
export interface Head {
  readonly method: string;
  readonly target: string;
  /** Alternating names and values, as received. */
  readonly rawHeaders: readonly string[];
}

export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** Paths that the configuration can open to requests without a token. */
const OPEN_PATHS: Readonly<Record<string, ControlPlan['open'][number]>> = {
  '/healthz': 'healthz',
  '/readyz': 'readyz',
  '/metrics': 'metrics',
};
/** The page contains no data; its script fetches the data with the token. */
const PAGE = '/';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST']);
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const MAX_TARGET = 4_096;

/** A listener without a token: every user of the machine can reach a loopback address. */
const READS_ONLY =
  'this listener has no token and is read-only. Set `control.http.token: {file: PATH}` in the configuration and send `Authorization: Bearer TOKEN`, or use the unix socket, as `svc-super` commands do';

/** Returns the check of a head: null if the request is allowed. */
export function makeGuard(plan: ControlPlan): (head: Head) => Refusal | null {
  const isAllowedHost = makeHostCheck(plan);
  const isValidToken = plan.token === null ? null : makeTokenCheck(plan.token);
  return ({ method, target, rawHeaders }) => {
    const header = (name: string) => valuesOf(rawHeaders, name);
    if (!METHODS.has(method)) return { status: 405, error: 'only GET, HEAD and POST are allowed' };
    if (!/^\/[\x21-\x7e]*$/.test(target) || target.length > MAX_TARGET) {
      return { status: 400, error: 'the target is not a path' };
    }
    const [host, ...more] = header('host');
    if (host === undefined || more.length > 0) return { status: 400, error: 'there must be exactly one Host header' };
    if (!isAllowedHost(host))
      return {
        status: 403,
        error: 'the Host header is not an address or name of this listener (see `control.http.hosts`)',
      };
    if (!isSameOrigin(header('origin'), host))
      return { status: 403, error: 'the Origin header is not that of this listener' };
    if (isCrossSite(method, header)) return { status: 403, error: 'requests from other sites are not allowed' };
    const authorization = header('authorization');
    if (isValidToken === null) return method === 'POST' ? { status: 403, error: READS_ONLY } : null;
    const path = target.split('?', 1)[0] ?? target;
    // A wrong token is refused on an open path too, so that its client notices. Other schemes are those of a proxy.
    const hasToken = authorization.some((one) => /^bearer\b/i.test(one));
    if (!hasToken && method !== 'POST' && !needsToken(plan, path)) return null;
    const [given = ''] = authorization;
    const isValid = isValidToken(/^bearer +(.+)$/i.exec(given)?.[1] ?? '');
    return isValid && authorization.length === 1 ? null : { status: 401, error: 'the token is missing or wrong' };
  };
}

/** Whether a path requires the token. */
export function needsToken({ token, open }: ControlPlan, path: string): boolean {
  if (token === null || path === PAGE) return false;
  const word = Object.hasOwn(OPEN_PATHS, path) ? OPEN_PATHS[path] : undefined;
  return word === undefined || !open.includes(word);
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/**
 * A page of another site can make its own name resolve to this address, and then its requests count as same-origin (DNS
 * rebinding). Its name can never be an address. The port is ignored: a container's port is often published as another one.
 */
function makeHostCheck({ host, hosts }: ControlPlan): (given: string) => boolean {
  const isWildcard = host === '0.0.0.0' || host === '::';
  // `host` and `hosts` of the plan are in lower case.
  const own = host.includes(':') ? `[${host}]` : host;
  return (given) => {
    const name = /^([^:[\]\s]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/.exec(given)?.[1]?.toLowerCase();
    if (name === undefined) return false;
    if (LOOPBACK_NAMES.has(name) || name === own || hosts.includes(name)) return true;
    return isWildcard && (name.startsWith('[') || /^(?:\d{1,3}\.){3}\d{1,3}$/.test(name));
  };
}

function isSameOrigin(origins: readonly string[], host: string): boolean {
  return origins.every((origin) => /^https?:\/\/(.+)$/.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase());
}

/** Browsers report the origin of a request; another site may only link to the page. */
function isCrossSite(method: string, header: (name: string) => readonly string[]): boolean {
  const [site] = header('sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return method !== 'GET' || header('sec-fetch-mode')[0] !== 'navigate';
}

/** Compares hashes, so that neither time nor length reveals how much of a guess was right. */
function makeTokenCheck(token: string): (given: string) => boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const wanted = hash(token);
  return (given) => timingSafeEqual(hash(given), wanted);
}
