// Asks the supervisor over its socket. Walks the same places as the server; says where it looked when nobody is there.
// Speaks HTTP by itself over node:net: a client that is loaded for one question must load in no time and start no thread.
import { connect } from 'node:net';
import type { Place } from './address.ts';
import { ResponseParser } from './response.ts';

export interface Question {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

export type Nobody = { readonly ok: false; readonly looked: readonly string[] };
export type Asked = { readonly ok: true; readonly status: number; readonly body: unknown } | Nobody;
/** `whole`: the answer came to its end. Else the supervisor has gone meanwhile. */
export type Streamed =
  | { readonly ok: true; readonly status: number; readonly body: unknown; readonly whole: boolean }
  | Nobody;

/** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
export type After = (ms: number, fn: () => void) => () => void;

/** Milliseconds until a supervisor that does not answer counts as none. */
const PATIENCE = 5_000;

/** One question, one JSON answer. */
export async function ask(places: readonly Place[], question: Question, after: After): Promise<Asked> {
  let text = '';
  const decoder = new TextDecoder();
  const take = (bytes: Uint8Array) => {
    text += decoder.decode(bytes, { stream: true });
  };
  const reached = await reach(places, question, after, take, () => undefined);
  if (!reached.ok) return reached;
  try {
    return { ok: true, status: reached.status, body: JSON.parse(text) };
  } catch {
    return { ok: false, looked: [`${reached.path}: what answers there is no supervisor`] };
  }
}

/** One question, and lines of JSON as they come. An answer that is no stream is handed back as `body`. */
export async function askLines(
  places: readonly Place[],
  question: Question,
  after: After,
  take: (line: unknown) => void,
): Promise<Streamed> {
  let rest = '';
  let isStream = false;
  const decoder = new TextDecoder();
  const takeBytes = (bytes: Uint8Array) => {
    rest += decoder.decode(bytes, { stream: true });
    if (!isStream) return;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') take(JSON.parse(line));
  };
  const reached = await reach(places, question, after, takeBytes, (type) => {
    isStream = type.startsWith('application/x-ndjson');
  });
  if (!reached.ok) return reached;
  const body = isStream || rest === '' ? null : JSON.parse(rest);
  return { ok: true, status: reached.status, body, whole: reached.whole };
}

type Reached = { readonly ok: true; readonly path: string; readonly status: number; readonly whole: boolean } | Nobody;

async function reach(
  places: readonly Place[],
  question: Question,
  after: After,
  take: (bytes: Uint8Array) => void,
  begin: (type: string) => void,
): Promise<Reached> {
  const looked: string[] = [];
  for (const { path } of places) {
    const outcome = await exchange(path, question, after, take, begin);
    if (typeof outcome !== 'string') return { ok: true, path, ...outcome };
    looked.push(`${path}: ${outcome}`);
  }
  return { ok: false, looked };
}

/** The answer's status once it is over, or in words why there was none. */
function exchange(
  path: string,
  question: Question,
  after: After,
  take: (bytes: Uint8Array) => void,
  begin: (type: string) => void,
): Promise<{ readonly status: number; readonly whole: boolean } | string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const parser = new ResponseParser(begin, take);
    const settle = (outcome: { status: number; whole: boolean } | string) => {
      cancel();
      socket.destroy();
      resolve(outcome);
    };
    const cancel = after(PATIENCE, () => {
      if (parser.status === null) settle('it does not answer');
    });
    socket.once('connect', () => socket.write(render(question)));
    socket.on('data', (bytes: Buffer) => {
      try {
        parser.push(bytes);
      } catch {
        settle('what answers there is no supervisor');
        return;
      }
      if (parser.isDone && parser.status !== null) settle({ status: parser.status, whole: true });
    });
    socket.once('error', (error) => settle(describe(error)));
    socket.once('close', () => {
      if (parser.status === null) settle('what answers there is no supervisor');
      else settle({ status: parser.status, whole: parser.isDone });
    });
  });
}

function render({ method = 'GET', path, body }: Question): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const head = `${method} ${path} HTTP/1.1\r\nHost: svc-super\r\nConnection: close\r\n`;
  const about =
    method === 'GET' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return `${head}${about}\r\n${text}`;
}

function describe(error: unknown): string {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'no such socket';
    case 'ECONNREFUSED':
      return 'nobody answers';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
