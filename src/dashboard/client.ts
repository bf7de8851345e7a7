// The requests of the dashboard to the control API: the token, JSON, streams of lines. Stores the token for this tab only. Makes
// the texts of JSON and the `text` of each line of a stream printable, so that no other file has to. Draws nothing.
import { printable, printableLine } from '../text.ts';

/** The key of the token in the storage of this tab. */
const TOKEN_KEY = 'svc-super-token';
/** Time limit of a request, milliseconds. */
const TIMEOUT = 4_000;
/** Time in which a new supervisor responds after the previous one has died, milliseconds. */
export const SUCCESSION_TIME = 2_000;

/** Thrown by each request whose token is missing or wrong. The page asks for the token: callers need not report it. */
export class Refused extends Error {}

/** Whether the listener has no token in its configuration, and so accepts no requests that change something. */
export const isReadOnly = document.body.dataset.readOnly !== undefined;

export const hasToken = (): boolean => sessionStorage.getItem(TOKEN_KEY) !== null;
export const setToken = (token: string): void => sessionStorage.setItem(TOKEN_KEY, token);
export const forgetToken = (): void => sessionStorage.removeItem(TOKEN_KEY);

let onRefused: (hadToken: boolean) => void = () => undefined;
/** Calls `act` when a request is refused because its token is missing or wrong. Replaces the previous function. */
export function onRefusal(act: (hadToken: boolean) => void): void {
  onRefused = act;
}

interface Options {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

async function ask(path: string, { method = 'GET', body, key, signal }: Options = {}): Promise<Response> {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = {
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
  };
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(TIMEOUT),
    cache: 'no-store',
  });
  if (response.status !== 401) return response;
  // If another token was entered since the request, the response is not about that one.
  if (token === sessionStorage.getItem(TOKEN_KEY)) {
    forgetToken();
    onRefused(token !== null);
  }
  throw new Refused();
}

/** Makes each text of a JSON value printable. Line ends stay: HTML does not interpret them. */
const clean = (_: string, value: unknown) =>
  typeof value === 'string' ? value.split('\n').map(printable).join('\n') : value;

/** The JSON of a path; null: there is no such path (404). Rejects on other errors, and after `timeout` milliseconds. */
export async function getJson<T>(path: string, timeout = TIMEOUT): Promise<T | null> {
  const response = await ask(path, { signal: AbortSignal.timeout(timeout) });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${response.status}`);
  return JSON.parse(await response.text(), clean) as T;
}

/** Resolves after `ms` milliseconds. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sends a request that changes something, and repeats it while the supervisor is being restarted. Because of its key, a repeated
 * request has no second effect. Resolves to the message of an error response; null: the request was accepted.
 */
export async function post(path: string, body: object = {}): Promise<string | null> {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16)).join('-');
  for (const began = performance.now(); ; ) {
    try {
      const response = await ask(path, { method: 'POST', body, key });
      if (response.ok) return null;
      const { error } = JSON.parse(await response.text(), clean) as { error: string };
      return error;
    } catch (error) {
      if (error instanceof Refused || performance.now() - began > SUCCESSION_TIME) throw error;
    }
    await pause(100);
  }
}

/** The objects of a stream as they arrive, in batches. `text` of each is made one printable line. */
export async function* stream<T extends { readonly text: string }>(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<readonly T[], void> {
  const response = await ask(path, { signal });
  if (!response.ok || response.body === null) throw new Error(`${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop() ?? '';
    const found = parts.filter((part) => part !== '').map((part) => JSON.parse(part) as T);
    if (found.length > 0) yield found.map((one) => ({ ...one, text: printableLine(one.text) }));
  }
}

/** All objects of a stream that ends within 30 seconds. */
export async function collect<T extends { readonly text: string }>(path: string): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const some of stream<T>(path, AbortSignal.timeout(30_000))) all.push(...some);
  return all;
}
