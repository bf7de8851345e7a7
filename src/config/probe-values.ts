// The values of probe fields: addresses, URLs, status ranges, regular expressions. Connects to nothing. Addresses are
// literal, because a name lookup needs a thread, and a process limit that is used up does not allow one.
import { isUnderstood } from './field.ts';
import { whyNotPattern } from './pattern.ts';
import { fill, INVALID, type Invalid, inFlow, mismatch, quote, type Reading } from './reading.ts';
import { byKind, refined, type Shape, text } from './shape.ts';
import type { Node, Span } from './tree.ts';

/** Where a probe connects; a null port is the service's first port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number | null;
}
interface HttpUrl extends Endpoint {
  readonly scheme: 'http' | 'https';
  readonly path: string;
}
/** Inclusive. */
type StatusRange = readonly [number, number];

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const LOOPBACK = '127.0.0.1';

/** A literal address without brackets; `localhost` becomes 127.0.0.1. */
export function host(): Shape<string> {
  return refined(text({ wanted: 'an IP address' }), (value, node, name, reading) => {
    const found = toAddress(value);
    return found ?? reportName(value, node, name, reading);
  });
}

/** A URL, or a path of the service itself. */
export function httpUrl(): Shape<HttpUrl> {
  const wanted = 'a URL (`http://127.0.0.1:8000/health`) or a path (`/health`)';
  const written: Shape<string> = text({ wanted, loose: true });
  const schema = () => text({ wanted }).schema();
  return refined(
    written,
    (value, node, name, reading): HttpUrl | Invalid => {
      if (value.startsWith('/')) return { scheme: 'http', host: LOOPBACK, port: null, path: toTarget(value) };
      const url = /^https?:\/\//i.test(value) ? parseUrl(value) : null;
      if (url === null) return mismatch(node, name, wanted, reading, meantUrl(value));
      if (url.username !== '' || url.password !== '') {
        const suggestion = 'put them into `headers: {Authorization: …}`';
        return reading.report(node, 'wrong-value', `${name} cannot hold a user name or password`, { suggestion });
      }
      const address = toAddress(url.hostname);
      if (address === null) return reportName(url.hostname, node, name, reading);
      const scheme = url.protocol === 'https:' ? 'https' : 'http';
      const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
      if (port === 0) return reading.report(node, 'wrong-value', `${name} has port 0, which no program can listen on`);
      return { scheme, host: address, port, path: url.pathname + url.search };
    },
    schema,
  );
}

/** A path and query of a request: in the map form of an `http` probe. */
export function target(): Shape<string> {
  return refined(text({ wanted: 'a path beginning with `/`', pattern: /^\// }), toTarget);
}

/** A path as a request carries it (RFC 9112, origin-form): encoded, without its fragment; a path that is encoded stays as it is. */
function toTarget(path: string): string {
  const url = parseUrl(`http://${LOOPBACK}${path}`);
  return url === null ? path : url.pathname + url.search;
}

/** Suggests what a value that is neither a URL nor a path probably means. */
function meantUrl(written: string): string | undefined {
  if (/^\d{1,5}$/.test(written)) return `did you mean \`http: {port: ${written}}\`?`;
  if (/^true$/i.test(written)) return 'did you mean `/`?';
  if (/^(?:localhost|[\d.]+)(?::\d+)?(?:\/\S*)?$/i.test(written)) return `did you mean \`http://${written}\`?`;
  return /^[\w.-]+(?:\/\S*)?$/.test(written) ? `did you mean \`/${written}\`?` : undefined;
}

/** Where a `tcp` probe connects: an address, or a unix socket. */
export type TcpTarget = (Endpoint & { readonly socket: null }) | { readonly socket: string };

/** `true` for the service's own port, a port, `host:port`, or a unix socket, whose map `map` reads. */
export function tcpTarget(map: Shape<{ readonly socket?: string }>): Shape<TcpTarget> {
  const wanted = "a port, `host:port`, `true` for the service's own port, or `{socket: /run/x.sock}`";
  const address: Shape<TcpTarget> = {
    wanted,
    schema: () => ({ anyOf: [{ const: true }, { type: 'integer', minimum: 1, maximum: 65535 }, { type: 'string' }] }),
    read(node, name, reading) {
      if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading);
      if (filled === INVALID) return INVALID;
      if (filled.value === true) return { host: LOOPBACK, port: null, socket: null };
      const parts = /^(?:(.*):)?(\d{1,5})$/.exec(filled.text);
      const port = Number(parts?.[2] ?? 0);
      if (parts === null || port < 1 || port > 65535) {
        const isPath = /^(?:unix:)?(\/\S+)$/.exec(filled.text)?.[1];
        const advice = isPath === undefined ? undefined : `did you mean \`tcp: {socket: ${inFlow(isPath)}}\`?`;
        const range = parts === null ? advice : 'a port is a number from 1 to 65535';
        return mismatch(node, name, wanted, reading, range);
      }
      const host = parts[1] === undefined ? LOOPBACK : toAddress(parts[1]);
      return host === null ? reportName(parts[1] ?? '', node, name, reading) : { host, port, socket: null };
    },
  };
  return byKind<TcpTarget, never, TcpTarget>(wanted, {
    scalar: address,
    map: refined(map, (given, node, name, reading): TcpTarget | Invalid => {
      if (given.socket !== undefined) return { socket: given.socket };
      return isUnderstood(node, given) ? reading.report(node, 'missing-key', `${name} has no \`socket\``) : INVALID;
    }),
  });
}

/** `200`, `"200-399"`, or a list of both. */
export function status(): Shape<readonly StatusRange[]> {
  const wanted = 'a status (`200`), a range (`"200-399"`), or a list of both';
  const one = (node: Node, name: string, reading: Reading): StatusRange | Invalid => {
    if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
    const filled = fill(node, reading);
    if (filled === INVALID) return INVALID;
    const parts = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(filled.text);
    const [first, last] = [Number(parts?.[1]), Number(parts?.[2] ?? parts?.[1])];
    return parts === null || first > last ? mismatch(node, name, wanted, reading) : [first, last];
  };
  const range = {
    anyOf: [
      { type: 'integer', minimum: 100, maximum: 599 },
      { type: 'string', pattern: '^[1-5]\\d\\d(-[1-5]\\d\\d)?$|\\$\\{' },
    ],
  };
  return {
    wanted,
    schema: () => ({ anyOf: [...range.anyOf, { type: 'array', items: range, minItems: 1 }] }),
    read(node, name, reading) {
      if (node.kind !== 'list') {
        const single = one(node, name, reading);
        return single === INVALID ? INVALID : [single];
      }
      if (node.items.length === 0) return mismatch(node, name, wanted, reading);
      return node.items.map((item) => one(item, `an item of ${name}`, reading)).filter((found) => found !== INVALID);
    },
  };
}

/** The source of a regular expression that compiles; see pattern.ts for the rules. */
export function pattern(): Shape<string> {
  return refined(text({ wanted: 'a regular expression' }), (value, node, name, reading) => {
    const wrong = whyNotPattern(value);
    if (wrong === null) return value;
    const message = `${name} is not a valid regular expression: ${wrong.why}`;
    return reading.report(node, 'wrong-regex', message, { suggestion: wrong.suggestion });
  });
}

/** `true` for `NOTIFY_SOCKET`, or `{fd: 3}`. The value is the descriptor, or null. */
export function notifyTarget(map: Shape<{ readonly fd?: number }>): Shape<{ readonly fd: number | null }> {
  const wanted = '`true`, or `{fd: 3}`';
  const yes: Shape<{ readonly fd: number | null }> = {
    wanted,
    schema: () => ({ const: true }),
    read: (node, name, reading) =>
      node.kind === 'scalar' && node.value === true ? { fd: null } : mismatch(node, name, wanted, reading),
  };
  return byKind(wanted, {
    scalar: yes,
    map: refined(
      map,
      ({ fd }) => ({ fd: fd ?? null }),
      () => map.schema(),
    ),
  });
}

function toAddress(written: string): string | null {
  if (written.toLowerCase() === 'localhost') return LOOPBACK;
  if (IPV4.test(written)) return written;
  const bare = written.replace(/^\[(.*)\]$/, '$1');
  if (!/^[\da-fA-F:.]+$/.test(bare) || !bare.includes(':')) return null;
  return parseUrl(`http://[${bare}]/`) === null ? null : bare;
}

function reportName(written: string, span: Span, name: string, reading: Reading): Invalid {
  const message = `${name} names the host ${quote(written)}: a probe takes only a literal IP address`;
  const suggestion =
    'a name lookup can hang when the process limit is used up; write the address, such as `127.0.0.1` or `[::1]`';
  return reading.report(span, 'host-name', message, { suggestion });
}

function parseUrl(written: string): URL | null {
  return URL.canParse(written) ? new URL(written) : null;
}
