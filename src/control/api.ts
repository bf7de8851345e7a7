// The routes of the control API as a table, without sockets: method and path to an answer. Reads a snapshot; knows no
// process and no file.
import type { Snapshot } from '../core/snapshot.ts';

/** What a service's processes use; null where /proc does not tell. */
export interface Usage {
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  readonly processes: number;
}

export interface ApiSource {
  snapshot(): Snapshot;
  usage(): ReadonlyMap<string, Usage>;
  readonly version: string;
  readonly pid: number;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Route {
  readonly method: 'GET';
  readonly summary: string;
  answer(source: ApiSource): Answer;
}

/** What `GET /v1/status` answers. */
export type StatusBody = Omit<Snapshot, 'services'> & {
  readonly version: string;
  readonly pid: number;
  readonly services: readonly (Snapshot['services'][number] & { readonly usage: Usage | null })[];
};

export const ROUTES = {
  '/v1/status': {
    method: 'GET',
    summary: 'The whole state: each service with its state, readiness or why not, restarts, processor time and memory',
    answer: (source) => {
      const usage = source.usage();
      const { services, ...rest } = source.snapshot();
      const body: StatusBody = {
        ...rest,
        version: source.version,
        pid: source.pid,
        services: services.map((service) => ({ ...service, usage: usage.get(service.name) ?? null })),
      };
      return { status: 200, body };
    },
  },
  '/v1/health': {
    method: 'GET',
    summary: '200 when every essential service is ready and every essential task has completed, else 503',
    answer: (source) => {
      const { healthy, services } = source.snapshot();
      const waiting = services
        .filter(({ essential, ready, state }) => essential && !ready && state !== 'skipped')
        .map(({ name, state, reason }) => ({ name, state, reason }));
      return { status: healthy ? 200 : 503, body: { healthy, waiting } };
    },
  },
} satisfies Readonly<Record<string, Route>>;

export function route(source: ApiSource, method: string, target: string): Answer {
  const path = target.split('?', 1)[0] ?? target;
  const found: Route | undefined = Object.hasOwn(ROUTES, path) ? ROUTES[path as keyof typeof ROUTES] : undefined;
  if (found === undefined) return { status: 404, body: { error: `there is no ${path}` } };
  if (method !== found.method) return { status: 405, body: { error: `${path} takes ${found.method} only` } };
  return found.answer(source);
}
