// The types of a control API route, and the search for the route of a request: from method and path to a response, without
// sockets. routes.ts has the table of all routes. Accesses the supervisor through ApiSource only.
import type { GpuUse } from '../plan/gpu-reading.ts';
import type { Plan } from '../plan/plan.ts';
import type { ApiSource, History, Usage } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireSnapshot } from './wire.ts';

export type { ApiSource, Usage } from './source.ts';

type Method = 'GET' | 'POST';

/** A parameter in the path, the query string, the header, or the JSON body. */
export interface Parameter {
  readonly in: 'path' | 'query' | 'body' | 'header';
  readonly type: 'string' | 'strings' | 'integer' | 'boolean' | 'duration';
  readonly summary: string;
  readonly required?: true;
}

export interface ApiRequest {
  /** The request came over the unix socket: its sender is the supervisor's user or root, on this machine. */
  readonly isLocal: boolean;
  /** Path parameters by their names in the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The JSON object of a POST; empty if there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The value of the header IDEMPOTENCY_KEY; null if there is none. */
  readonly key: string | null;
}

/**
 * The header that identifies a request, so that a client may repeat it if it received no response
 * (draft-ietf-httpapi-idempotency-key-header).
 */
export const IDEMPOTENCY_KEY = 'idempotency-key';

export type ApiResponse =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly status: number;
      /** Content type of `text`. */
      readonly type: string;
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** One JSON object per line (application/x-ndjson), until the source ends the stream or the client disconnects. */
  | { readonly status: number; readonly lines: Lines };

export interface Route {
  readonly method: Method;
  /** `/v1/services/{name}/stop`: each `{part}` is one segment. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Readonly<Record<string, Parameter>>;
  /** Descriptions by status code. */
  readonly responses: Readonly<Record<number, string>>;
  /** The response is a stream of lines. */
  readonly streams?: true;
  respond(source: ApiSource, request: ApiRequest): ApiResponse | Promise<ApiResponse>;
}

/** `GET /v1/gpus`. */
export interface GpusBody {
  /** `services`: those that have the GPU. */
  readonly gpus: readonly (GpuUse & { readonly services: readonly string[] })[];
  readonly why: string | null;
}

/** The body of `GET /v1/status`. */
export type StatusBody = Omit<WireSnapshot, 'services'> & {
  readonly version: string;
  readonly pid: number;
  /** Numbers of replicas that `scale` has set, and those of the file, by service. */
  readonly scale: NonNullable<Plan['scale']>;
  /** Restarts of the supervisor itself. `time` is ISO 8601. */
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

export function refuse(status: number, error: string, headers?: Readonly<Record<string, string>>): ApiResponse {
  return { status, body: { error }, ...(headers !== undefined && { headers }) };
}

/** The route of a request, or an error response. HEAD finds the route of GET. */
export function findRoute(method: string, target: string, routes: readonly Route[]): Found | ApiResponse {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const segments = decodePath(path);
  if (segments === null) return refuse(400, 'the path is not properly encoded');
  const here = routes.flatMap((route) => {
    const params = match(route.path, segments);
    return params === null ? [] : [{ route, params }];
  });
  const shown = path.slice(0, 200);
  if (here.length === 0) return refuse(404, `there is no ${shown}`);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const found = here.find(({ route }) => route.method === wanted);
  if (found === undefined) {
    const methods = here.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
    const allow = [...new Set(methods)].join(', ');
    return refuse(405, `${shown} allows ${allow} only`, { allow });
  }
  return { ...found, query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)) };
}

export function isFound(found: Found | ApiResponse): found is Found {
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

/** The JSON object of a POST, or an error response. An empty body is an empty object. */
export function parseBody(text: string): { readonly body: Readonly<Record<string, unknown>> } | ApiResponse {
  if (text.trim() === '') return { body: {} };
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return { body: value as Readonly<Record<string, unknown>> };
    }
  } catch {
    // The error is returned below.
  }
  return refuse(400, 'the body is not a JSON object');
}

/** The key of a request, null if there is none, or an error response. */
export function parseKey(value: string | readonly string[] | undefined): string | null | ApiResponse {
  if (value === undefined) return null;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,64}$/.test(value)) return value;
  return refuse(400, 'Idempotency-Key must have 1 to 64 printable ASCII characters and no spaces');
}
