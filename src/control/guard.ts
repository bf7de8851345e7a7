// Who may ask over TCP, decided from a request's head alone: its Host and Origin must be ours (a page elsewhere, or a name
// that was made to point here, is a stranger), and its token right. Opens no socket. Pure but for the hash.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ControlPlan } from '../plan/plan.ts';

/** The head of a request. */
export interface Head {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** Answered without a token by choice of the configuration. */
const OPEN_PATHS: Readonly<Record<string, ControlPlan['open'][number]>> = {
  '/healthz': 'healthz',
  '/readyz': 'readyz',
  '/metrics': 'metrics',
};
/** The page itself holds nothing; all that it shows it asks for with the token. */
const PAGE = '/';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST']);
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const MAX_TARGET = 4_096;

/** Processes of every user of the machine can reach a loopback address. */
const READS_ONLY =
  'without a token this listener answers reads only. Set `control.http.token: {file: PATH}` in the configuration and send `Authorization: Bearer TOKEN`, or ask over the unix socket (`svc-super` commands do)';

/** Makes what judges a head: null when it may pass. */
export function makeGuard(plan: ControlPlan): (head: Head) => Refusal | null {
  const isOurs = knowsHost(plan);
  const isRight = plan.token === null ? null : knowsToken(plan.token);
  return ({ method, target, rawHeaders }) => {
    const header = (name: string) => valuesOf(rawHeaders, name);
    if (!METHODS.has(method)) return { status: 405, error: 'GET, HEAD and POST are known' };
    if (!/^\/[\x21-\x7e]*$/.test(target) || target.length > MAX_TARGET) {
      return { status: 400, error: 'the target is not a path' };
    }
    const [host, ...more] = header('host');
    if (host === undefined || more.length > 0) return { status: 400, error: 'there must be one Host' };
    if (!isOurs(host)) return { status: 403, error: 'that Host is not ours' };
    if (!isSameOrigin(header('origin'), host)) return { status: 403, error: 'that Origin is not ours' };
    if (comesFromElsewhere(method, header)) return { status: 403, error: 'another site asks' };
    const authorization = header('authorization');
    if (isRight === null) return method === 'POST' ? { status: 403, error: READS_ONLY } : null;
    const path = target.split('?', 1)[0] ?? target;
    if (authorization.length === 0 && method !== 'POST' && !needsToken(plan, path)) return null;
    const [given = ''] = authorization;
    const right = isRight(/^bearer +(.+)$/i.exec(given)?.[1] ?? '');
    return right && authorization.length === 1 ? null : { status: 401, error: 'the token is missing or wrong' };
  };
}

/** Whether a path is answered to those who have the token alone. */
export function needsToken({ token, open }: ControlPlan, path: string): boolean {
  if (token === null || path === PAGE) return false;
  const word = Object.hasOwn(OPEN_PATHS, path) ? OPEN_PATHS[path] : undefined;
  return word === undefined || !open.includes(word);
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/**
 * A page of another site can have its own name point at our address, and then asks as the same origin; what it cannot
 * have is an address as its name. The port is not looked at: a container's is often published as another.
 */
function knowsHost({ host, hosts }: ControlPlan): (given: string) => boolean {
  const everywhere = host === '0.0.0.0' || host === '::';
  const own = host.includes(':') ? `[${host}]` : host;
  return (given) => {
    const name = /^([^:[\]\s]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/.exec(given)?.[1]?.toLowerCase();
    if (name === undefined) return false;
    if (LOOPBACK_NAMES.has(name) || name === own || hosts.includes(name)) return true;
    return everywhere && (name.startsWith('[') || /^(?:\d{1,3}\.){3}\d{1,3}$/.test(name));
  };
}

function isSameOrigin(origins: readonly string[], host: string): boolean {
  return origins.every((origin) => /^https?:\/\/(.+)$/.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase());
}

/** Browsers say where a request comes from; following a link to the page is all that another site may do. */
function comesFromElsewhere(method: string, header: (name: string) => readonly string[]): boolean {
  const [site] = header('sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return method !== 'GET' || header('sec-fetch-mode')[0] !== 'navigate';
}

/** Compares hashes, so that neither the time nor the length tells how much of a guess was right. */
function knowsToken(token: string): (given: string) => boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const wanted = hash(token);
  return (given) => timingSafeEqual(hash(given), wanted);
}
