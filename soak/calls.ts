// The calls of the control API during a soak: every kind of request, some operations, followers that disconnect early. A table
// of calls that are made in turn, each with its correct responses. Counts failures only.
import type { Supervisor } from './supervisor.ts';

interface Call {
  readonly path: string;
  readonly method?: 'POST';
  readonly body?: object;
  readonly right: readonly number[];
  /** Over TCP instead of the unix socket. */
  readonly tcp?: true;
  /** The response is a stream: its reader disconnects early. */
  readonly follows?: true;
}

const TABLE: readonly Call[] = [
  { path: '/v1/status', right: [200] },
  { path: '/v1/health', right: [200, 503] },
  { path: '/v1/services/called-a', right: [200] },
  { path: '/v1/services/loop-quick-a', right: [200] },
  { path: '/v1/services/nobody', right: [404] },
  { path: '/v1/logs?service=print-*&lines=20', right: [200] },
  { path: '/v1/logs?service=print-text&lines=5&follow=1', right: [200], follows: true },
  { path: '/v1/events?lines=20', right: [200] },
  { path: '/v1/events?lines=5&follow=1', right: [200], follows: true },
  { path: '/v1/wait?service=print-text', right: [200] },
  { path: '/v1/wait?service=called-a&for=stopped&timeout=1', right: [200] },
  { path: '/v1/timeline', right: [200] },
  { path: '/v1/graph', right: [200] },
  { path: '/v1/groups', right: [200] },
  { path: '/ops', right: [200] },
  { path: '/v1/nothing', right: [404] },
  { path: '/v1/status', right: [200], tcp: true },
  { path: '/healthz', right: [200], tcp: true },
  { path: '/readyz', right: [200, 503], tcp: true },
  { path: '/metrics', right: [200], tcp: true },
  { path: '/', right: [200], tcp: true },
  { path: '/v1/services/called-b/signal', method: 'POST', body: { signal: 'CONT' }, right: [200, 202, 204, 409] },
  { path: '/v1/stop', method: 'POST', body: { services: ['nobody'] }, right: [404] },
  { path: '/v1/reload', method: 'POST', body: { dry_run: true }, right: [200] },
];
/** Calls that create a process, made rarely. */
const DEAR: readonly Call[] = [
  { path: '/v1/services/called-a/restart', method: 'POST', right: [200, 202, 409] },
  { path: '/v1/services/called-b/exec', method: 'POST', body: { argv: ['/bin/echo', 'hello'] }, right: [200, 409] },
];
const DEAR_EVERY = 25;
/** A follower disconnects after its first piece, or after this many milliseconds without one. */
const FOLLOWED = 100;

export class Calls {
  done = 0;
  readonly wrong: string[] = [];
  readonly #supervisor: Supervisor;
  readonly #tcp: number;

  constructor(supervisor: Supervisor, tcp: number) {
    this.#supervisor = supervisor;
    this.#tcp = tcp;
  }

  /** Makes calls, a few at a time, until their total reaches a number. */
  async upTo(count: number): Promise<void> {
    const caller = async () => {
      while (this.done < count) {
        this.done += 1;
        await this.#call(this.done);
      }
    };
    await Promise.all([caller(), caller(), caller()]);
  }

  async #call(number: number): Promise<void> {
    const table = number % DEAR_EVERY === 0 ? DEAR : TABLE;
    const at = number % DEAR_EVERY === 0 ? number / DEAR_EVERY : number;
    const call = table[at % table.length];
    if (call === undefined) return;
    const { path, method = 'GET', body, right, tcp, follows } = call;
    const abort = new AbortController();
    try {
      const response = await fetch(tcp ? `http://127.0.0.1:${this.#tcp}${path}` : `http://svc-super${path}`, {
        ...(!tcp && { unix: this.#supervisor.socket }),
        method,
        signal: abort.signal,
        // Every second call uses its own connection.
        headers: {
          ...(number % 2 === 0 && { connection: 'close' }),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      } as RequestInit);
      if (!right.includes(response.status)) this.wrong.push(`${method} ${path}: ${response.status}`);
      if (follows) {
        await Promise.race([response.body?.getReader().read(), Bun.sleep(FOLLOWED)]);
        abort.abort();
      } else await response.arrayBuffer();
    } catch (error) {
      if (!abort.signal.aborted) this.wrong.push(`${method} ${path}: ${error}`);
    }
  }
}
