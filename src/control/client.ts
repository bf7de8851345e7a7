// Sends requests to the supervisor: the first over the connection that the native program has made and checked, later ones
// over connections to the same path. Has its own HTTP: a client for one request must load fast and start no thread.
import { connect } from 'node:net';
import { ResponseParser } from './response.ts';

export interface Question {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

/** No supervisor was asked. `found`: supervisors that answer, where it is not clear which one is meant. */
export type NoSupervisor = {
  readonly ok: false;
  readonly looked: readonly string[];
  readonly found?: readonly { readonly path: string; readonly pid: number }[];
};
export type Asked = { readonly ok: true; readonly status: number; readonly body: unknown } | NoSupervisor;
/** `whole`: the answer came to its end. Else the supervisor has gone meanwhile. */
export type Streamed =
  | { readonly ok: true; readonly status: number; readonly body: unknown; readonly whole: boolean }
  | NoSupervisor;

/** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
export type After = (ms: number, fn: () => void) => () => void;

/** One connection to a supervisor. */
export interface Line {
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface LineListener {
  data(bytes: Uint8Array): void;
  closed(): void;
}

/** A way to connect to the supervisor, or why there is none. */
export type Dial =
  | { readonly ok: true; readonly path: string; open(listener: LineListener): Promise<Line> }
  | NoSupervisor;

/** Connects to a path. Rejects with an Error with `code`. */
export function connectTo(path: string, listener: LineListener): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () =>
      resolve({ write: (bytes) => void socket.write(bytes), close: () => socket.destroy() }),
    );
    socket.on('data', (bytes: Buffer) => listener.data(bytes));
    socket.once('error', reject);
    socket.once('close', () => listener.closed());
  });
}

/** Milliseconds until a supervisor that does not answer counts as none. */
const PATIENCE = 5_000;

/** One question, one JSON answer. */
export async function ask(dial: Dial, question: Question, after: After): Promise<Asked> {
  let text = '';
  const decoder = new TextDecoder();
  const take = (bytes: Uint8Array) => {
    text += decoder.decode(bytes, { stream: true });
  };
  const reached = await reach(dial, question, after, take, () => undefined);
  if (!reached.ok) return reached;
  try {
    return { ok: true, status: reached.status, body: JSON.parse(text) };
  } catch {
    return { ok: false, looked: [`${reached.path}: what answers there is no supervisor`] };
  }
}

/** One question, and lines of JSON as they come. An answer that is no stream is handed back as `body`. */
export async function askLines(
  dial: Dial,
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
  const reached = await reach(dial, question, after, takeBytes, (type) => {
    isStream = type.startsWith('application/x-ndjson');
  });
  if (!reached.ok) return reached;
  const body = isStream || rest === '' ? null : JSON.parse(rest);
  return { ok: true, status: reached.status, body, whole: reached.whole };
}

type Reached =
  | { readonly ok: true; readonly path: string; readonly status: number; readonly whole: boolean }
  | NoSupervisor;

async function reach(
  dial: Dial,
  question: Question,
  after: After,
  take: (bytes: Uint8Array) => void,
  begin: (type: string) => void,
): Promise<Reached> {
  if (!dial.ok) return dial;
  const outcome = await exchange(dial, question, after, take, begin);
  if (typeof outcome !== 'string') return { ok: true, path: dial.path, ...outcome };
  return { ok: false, looked: [`${dial.path}: ${outcome}`] };
}

/** The answer's status once it is over, or in words why there was none. */
function exchange(
  dial: Dial & { readonly ok: true },
  question: Question,
  after: After,
  take: (bytes: Uint8Array) => void,
  begin: (type: string) => void,
): Promise<{ readonly status: number; readonly whole: boolean } | string> {
  return new Promise((resolve) => {
    const parser = new ResponseParser(begin, take);
    let line: Line | null = null;
    const settle = (outcome: { status: number; whole: boolean } | string) => {
      cancel();
      line?.close();
      resolve(outcome);
    };
    const cancel = after(PATIENCE, () => {
      if (parser.status === null) settle('it does not answer');
    });
    const listener: LineListener = {
      data(bytes) {
        try {
          parser.push(Buffer.from(bytes));
        } catch {
          settle('what answers there is no supervisor');
          return;
        }
        if (parser.isDone && parser.status !== null) settle({ status: parser.status, whole: true });
      },
      closed() {
        if (parser.status === null) settle('what answers there is no supervisor');
        else settle({ status: parser.status, whole: parser.isDone });
      },
    };
    dial.open(listener).then(
      (opened) => {
        line = opened;
        opened.write(Buffer.from(render(question)));
      },
      (error: unknown) => settle(describe(error)),
    );
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
