// One HTTP attempt: request, status, body, JSON. Apart from probe.ts so that undici is loaded at the first HTTP probe and
// not before the first spawn. A new connection each time: the question is whether the service answers a new client.
import { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import request from 'undici/lib/api/api-request.js';
import Client from 'undici/lib/dispatcher/client.js';
import { compilePattern } from '../plan/pattern.ts';
import type { HttpProbe } from '../plan/plan.ts';
import { type Answer, describeConnectError } from './probe.ts';

/** No more of a body is looked at, bytes. */
const BODY_KEPT = 1024 * 1024;

let isWarm = false;

/**
 * Has undici compile its parser, which is WebAssembly, once and for all: the runtime needs a thread for that, and where the
 * process limit is used up it would end PID 1. Done early, and never without room; false: there is none.
 */
export async function warmUp(canStartThread: () => Promise<boolean>): Promise<boolean> {
  if (isWarm) return true;
  if (!(await canStartThread())) return false;
  isWarm = true;
  // A connection that leads nowhere: the parser is made for it, and nothing is sent.
  const client = new Client('http://nowhere', { connect: (_options, done) => done(null, new Socket()) });
  const asked = request.call(client, { method: 'GET', path: '/' }).catch(() => undefined);
  await client.destroy();
  await asked;
  return true;
}

export async function attemptHttp(probe: HttpProbe, abort: AbortSignal): Promise<Answer> {
  const host = probe.host.includes(':') ? `[${probe.host}]` : probe.host;
  const where = probe.socket ?? `${host}:${probe.port}`;
  const client = new Client(`${probe.scheme}://${host}:${probe.port}`, {
    connect: {
      rejectUnauthorized: probe.verifyTls,
      timeout: 0,
      ...(probe.socket !== null && { socketPath: probe.socket }),
    },
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 1,
    pipelining: 0,
  });
  // undici leaves a connection that is still being made alone when a request is aborted.
  const destroy = () => void client.destroy().catch(() => undefined);
  abort.addEventListener('abort', destroy, { once: true });
  try {
    const response = await request.call(client, {
      method: probe.method,
      path: probe.path,
      headers: { 'user-agent': 'svc-super', ...probe.headers },
      body: probe.body,
    });
    const status = response.statusCode;
    if (!probe.status.some(([least, most]) => status >= least && status <= most)) {
      return { ok: false, detail: `HTTP ${status}` };
    }
    if ([probe.contains, probe.matches, probe.notMatches, probe.json].every((wanted) => wanted === null)) {
      return { ok: true, detail: `HTTP ${status}` };
    }
    return judgeBody(probe, status, await readBody(response.body));
  } catch (error) {
    return { ok: false, detail: describeConnectError(error, where) };
  } finally {
    abort.removeEventListener('abort', destroy);
    destroy();
  }
}

async function readBody(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= BODY_KEPT) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Whether an answer's body is what the probe wants. Pure. */
export function judgeBody(
  probe: Pick<HttpProbe, 'contains' | 'matches' | 'notMatches' | 'json'>,
  status: number,
  body: string,
): Answer {
  const no = (why: string): Answer => ({ ok: false, detail: `HTTP ${status}, but ${why}` });
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
  if (value === undefined) return no(`there is no ${path} in it`);
  if (!('equals' in probe.json) || isDeepStrictEqual(value, probe.json.equals))
    return { ok: true, detail: `HTTP ${status}` };
  return no(`${path} is ${short(value)}, not ${short(probe.json.equals)}`);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
