// Requests of the dashboard to the control API: the token, JSON, streams of lines. Stores the token for this tab only. Makes
// every text that arrives printable, so that no other file has to.
import { printable, printableLine } from '../text.ts';

const KEY = 'svc-super-token';
/** Milliseconds after which a request without a response counts as failed. */
const PATIENCE = 4_000;
/** Milliseconds that a restarted supervisor may take to respond. */
export const SUCCESSION_TIME = 2_000;

/** The token is missing or wrong; the page asks for it. */
export class Refused extends Error {}

/** Without a token the listener is read-only. */
export const isReadOnly = document.body.dataset.readOnly !== undefined;

export const hasToken = (): boolean => sessionStorage.getItem(KEY) !== null;
export const setToken = (token: string): void => sessionStorage.setItem(KEY, token);
export const forgetToken = (): void => sessionStorage.removeItem(KEY);

let refused: (hadToken: boolean) => void = () => undefined;
/** Calls `act` when a request is refused for lack of the right token. */
export function onRefusal(act: (hadToken: boolean) => void): void {
  refused = act;
}

interface Options {
  readonly method?: 'GET' | 'POST';
  readonly body?: object;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

async function ask(path: string, { method = 'GET', body, key, signal }: Options = {}): Promise<Response> {
  const token = sessionStorage.getItem(KEY);
  const headers = {
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'idempotency-key': key }),
  };
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(PATIENCE),
    cache: 'no-store',
  });
  if (response.status !== 401) return response;
  // The response to a request from before another token was entered says nothing about that one.
  if (token === sessionStorage.getItem(KEY)) {
    forgetToken();
    refused(token !== null);
  }
  throw new Refused();
}

/** Line ends stay: HTML does not interpret them. */
const clean = (_: string, value: unknown) =>
  typeof value === 'string' ? value.split('\n').map(printable).join('\n') : value;

/** The JSON of a path; null if the supervisor has no such path or thing. */
export async function getJson<T>(path: string): Promise<T | null> {
  const response = await ask(path);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${response.status}`);
  return JSON.parse(await response.text(), clean) as T;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sends a request that changes something, and repeats it while the supervisor is restarted. Because of the key a repetition
 * has no second effect. Resolves to the reason if it is not possible; null: it was accepted.
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

/** Objects of a stream as they arrive, in batches. The property `text` of each is made one printable line. */
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

/** All objects of a stream that ends. */
export async function collect<T extends { readonly text: string }>(path: string): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const some of stream<T>(path, AbortSignal.timeout(30_000))) all.push(...some);
  return all;
}
