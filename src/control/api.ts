// What a route of the control API is, and how a request finds its own: method and path to an answer, without sockets. The
// table of all of them is routes.ts, the one documented place. Knows no process and no file: whatever is asked of the
// supervisor goes through ApiSource.
import type { ApiSource, History, Usage } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireSnapshot } from './wire.ts';

export type { ApiSource, Usage } from './source.ts';

export type Method = 'GET' | 'POST';

/** A part of the path, of the query string, of the head, or of a JSON body. */
export interface Parameter {
  readonly in: 'path' | 'query' | 'body' | 'header';
  readonly type: 'string' | 'strings' | 'integer' | 'boolean' | 'duration';
  readonly summary: string;
  readonly required?: true;
}

export interface ApiRequest {
  /** It came through the unix socket: its sender is this user or root, on this machine. */
  readonly isLocal: boolean;
  /** Parts of the path by their names in the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** A POST's JSON object; empty where there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The value of the header KEY; null if there is none. */
  readonly key: string | null;
}

/**
 * The header that identifies a request, so that a client may send it again when it got no answer
 * (draft-ietf-httpapi-idempotency-key-header).
 */
export const KEY = 'idempotency-key';

export type Answer =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly status: number;
      /** Content type of `text`. */
      readonly type: string;
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** One JSON object a line (application/x-ndjson), until the source ends it or the client goes. */
  | { readonly status: number; readonly lines: Lines };

export interface Route {
  readonly method: Method;
  /** `/v1/services/{name}/stop`: each `{part}` is one segment. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Readonly<Record<string, Parameter>>;
  /** Status code to what it means. */
  readonly answers: Readonly<Record<number, string>>;
  /** The answer is a stream of lines. */
  readonly streams?: true;
  answer(source: ApiSource, request: ApiRequest): Answer | Promise<Answer>;
}

/** What `GET /v1/status` answers. */
export type StatusBody = Omit<WireSnapshot, 'services'> & {
  readonly version: string;
  readonly pid: number;
  /** The restarts of the supervisor itself. `time` is ISO 8601. */
  readonly supervisor: Omit<History, 'last'> & {
    readonly last: { readonly time: string; readonly reason: string } | null;
  };
  readonly services: readonly (WireSnapshot['services'][number] & {
    readonly usage: Usage | null;
  })[];
};

export interface Found {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export function refuse(status: number, error: string, headers?: Readonly<Record<string, string>>): Answer {
  return { status, body: { error }, ...(headers !== undefined && { headers }) };
}

/** The route that a request line names, or the refusal. HEAD is answered as GET is. */
export function findRoute(method: string, target: string, routes: readonly Route[]): Found | Answer {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const segments = decodePath(path);
  if (segments === null) return refuse(400, 'the path is not properly encoded');
  const here = routes.flatMap((route) => {
    const params = match(route.path, segments);
    return params === null ? [] : [{ route, params }];
  });
  if (here.length === 0) return refuse(404, `there is no ${path.slice(0, 200)}`);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const found = here.find(({ route }) => route.method === wanted);
  if (found === undefined) {
    const allow = [...new Set(here.map(({ route }) => route.method))].join(', ');
    return refuse(405, `${path} takes ${allow} only`, { allow });
  }
  return { ...found, query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)) };
}

export function isFound(found: Found | Answer): found is Found {
  return 'route' in found;
}

function decodePath(path: string): readonly string[] | null {
  if (!path.startsWith('/')) return null;
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return null;
  }
}

function match(pattern: string, segments: readonly string[]): Readonly<Record<string, string>> | null {
  const parts = pattern.slice(1).split('/');
  if (parts.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [position, part] of parts.entries()) {
    const segment = segments[position] ?? '';
    if (part.startsWith('{')) {
      if (segment === '') return null;
      params[part.slice(1, -1)] = segment;
    } else if (part !== segment) return null;
  }
  return params;
}

/** The JSON object that a POST carries; a refusal where it is none. An empty body is an empty object. */
export function parseBody(text: string): { readonly body: Readonly<Record<string, unknown>> } | Answer {
  if (text.trim() === '') return { body: {} };
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return { body: value as Readonly<Record<string, unknown>> };
    }
  } catch {
    // Refused below.
  }
  return refuse(400, 'the body is not a JSON object');
}

/** The key of a request, null if there is none, or a refusal. */
export function parseKey(value: string | readonly string[] | undefined): string | null | Answer {
  if (value === undefined) return null;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value)) return value;
  return refuse(400, 'Idempotency-Key must have 1 to 64 printable ASCII characters, and no space');
}
