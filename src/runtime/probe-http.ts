// Performs one attempt of an HTTP probe: opens a connection, sends one request, and checks whether the response meets the
// probe's conditions. Implements HTTP itself, with http-reader.ts: undici rejects bare LF and interim responses, and its
// parser is WebAssembly, which needs a thread to be compiled. Never reuses a connection, because the probe tests whether the
// service accepts a new client.
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { compilePattern } from '../plan/pattern.ts';
import type { HttpProbe } from '../plan/plan.ts';
import { type AttemptResult, describeConnectError } from './attempt.ts';
import { HttpError, ResponseReader } from './http-reader.ts';

/** At most this much of a body is read, bytes. */
const BODY_KEPT = 1024 * 1024;
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** Never rejects. After an abort the result has no meaning. */
export function attemptHttp(probe: HttpProbe, abort: AbortSignal): Promise<AttemptResult> {
  if (abort.aborted) return Promise.resolve({ ok: false, detail: 'abandoned' });
  const where = probe.socket ?? `${bracketed(probe.host)}:${probe.port}`;
  return new Promise((resolve) => {
    const reader = new ResponseReader(probe.method, BODY_KEPT);
    const socket = open(probe);
    let isOver = false;
    const finish = (result: AttemptResult) => {
      isOver = true;
      abort.removeEventListener('abort', abandon);
      socket.destroy();
      resolve(result);
    };
    const abandon = () => finish({ ok: false, detail: 'abandoned' });
    abort.addEventListener('abort', abandon, { once: true });
    socket.once(probe.scheme === 'https' ? 'secureConnect' : 'connect', () => void socket.write(renderRequest(probe)));
    socket.on('data', (bytes: Uint8Array) => {
      if (isOver) return;
      try {
        reader.push(bytes);
        const result = judgeResponse(probe, reader);
        if (result !== null) finish(result);
      } catch (error) {
        const why = error instanceof HttpError ? error.message : String(error);
        finish({ ok: false, detail: `${where} does not speak HTTP: ${why}` });
      }
    });
    socket.once('error', (error) => finish({ ok: false, detail: describeConnectError(error, where) }));
    const ended = () => {
      if (isOver) return;
      const result = reader.close() ? judgeResponse(probe, reader) : null;
      const middle = reader.status === null ? '' : ' in the middle of its response';
      finish(result ?? { ok: false, detail: `${where} closed the connection${middle}` });
    };
    socket.once('end', ended);
    socket.once('close', ended);
  });
}

function open({ scheme, host, port, socket: path, verifyTls, headers }: HttpProbe): Socket {
  const place = path === null ? { host, port } : { path };
  if (scheme === 'http') return connect(place);
  const name = find(headers, 'host')?.replace(/:\d+$/, '') ?? '';
  // The name for SNI. An IP address is not allowed (RFC 6066, 3).
  const servername = name !== '' && isIP(name.replace(/^\[(.*)\]$/, '$1')) === 0 ? { servername: name } : {};
  return connectTls({ ...place, ...servername, rejectUnauthorized: verifyTls, ALPNProtocols: ['http/1.1'] });
}

/** The request as bytes. Headers of the probe replace the default headers of the same name. Pure. */
export function renderRequest(
  probe: Pick<HttpProbe, 'scheme' | 'host' | 'port' | 'socket' | 'method' | 'path' | 'headers' | 'body'>,
): Buffer {
  const { scheme, host, port, method, path, headers, body } = probe;
  const content = body === null ? null : Buffer.from(body);
  const isDefault = port === DEFAULT_PORTS[scheme] || probe.socket !== null;
  const own: readonly (readonly [string, string])[] = [
    ['Host', isDefault ? bracketed(host) : `${bracketed(host)}:${port}`],
    ['Connection', 'close'],
    ['User-Agent', 'svc-super'],
    ...(content === null ? [] : [['Content-Length', String(content.length)] as const]),
  ];
  const lines = [
    `${method} ${encodePath(path)} HTTP/1.1`,
    ...[...own.filter(([name]) => find(headers, name) === null), ...Object.entries(headers)].map(
      ([name, value]) => `${name}: ${value}`,
    ),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content ?? Buffer.alloc(0)]);
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function find(headers: Readonly<Record<string, string>>, name: string): string | null {
  const wanted = name.toLowerCase();
  return Object.entries(headers).find(([key]) => key.toLowerCase() === wanted)?.[1] ?? null;
}

/** Encodes spaces, control characters and non-ASCII characters, which a request line cannot contain. */
function encodePath(path: string): string {
  return path.toWellFormed().replaceAll(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** The result of the attempt, from the part of the response that was read; null: more must be read. */
function judgeResponse(probe: HttpProbe, reader: ResponseReader): AttemptResult | null {
  const { status } = reader;
  if (status === null) return null;
  if (!probe.status.some(([least, most]) => status >= least && status <= most)) {
    return { ok: false, detail: `HTTP ${status}` };
  }
  const isBodyWanted = [probe.contains, probe.matches, probe.notMatches, probe.json].some((wanted) => wanted !== null);
  if (!isBodyWanted) return { ok: true, detail: `HTTP ${status}` };
  return reader.isComplete ? judgeBody(probe, status, reader.body.toString('utf8')) : null;
}

/** Whether the body of a response meets the conditions of the probe. Pure. */
export function judgeBody(
  probe: Pick<HttpProbe, 'contains' | 'matches' | 'notMatches' | 'json'>,
  status: number,
  body: string,
): AttemptResult {
  const no = (why: string): AttemptResult => ({ ok: false, detail: `HTTP ${status}, but ${why}` });
  if (probe.contains !== null && !body.includes(probe.contains))
    return no(`the body does not contain ${JSON.stringify(probe.contains)}`);
  if (probe.matches !== null && !compilePattern(probe.matches).test(body))
    return no(`the body does not match /${probe.matches}/`);
  if (probe.notMatches !== null && compilePattern(probe.notMatches).test(body))
    return no(`the body matches /${probe.notMatches}/`);
  if (probe.json === null) return { ok: true, detail: `HTTP ${status}` };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return no('the body is not JSON');
  }
  const { path } = probe.json;
  for (const key of path === '' ? [] : path.split('.')) {
    const here = value;
    value =
      here !== null && typeof here === 'object' && Object.hasOwn(here, key)
        ? (here as Record<string, unknown>)[key]
        : undefined;
  }
  if (value === undefined) return no(`the body has no \`${path}\``);
  if (!('equals' in probe.json) || isDeepStrictEqual(value, probe.json.equals))
    return { ok: true, detail: `HTTP ${status}` };
  return no(`${path} is ${short(value)}, not ${short(probe.json.equals)}`);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
