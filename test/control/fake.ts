// A fake supervisor for tests of the control API: its state and the received requests, as plain values. No sockets.
import { type ApiResponse, type ApiSource, findRoute, isFound, parseBody } from '../../src/control/api.ts';
import { Journal } from '../../src/control/journal.ts';
import { ROUTES } from '../../src/control/routes.ts';
import type { Outlet } from '../../src/control/streams.ts';
import type { WireService, WireSnapshot } from '../../src/control/wire.ts';
import type { LogBlock, LogLine } from '../../src/logs/ring.ts';
import { on, plan, service } from '../helpers/plans.ts';

export function seen(name: string, given: Partial<WireService> = {}): WireService {
  return {
    name,
    replica: null,
    type: 'service',
    group: null,
    essential: true,
    state: 'ready',
    ready: (given.state ?? 'ready') === 'ready',
    probed: true,
    wanted: 'up',
    blocked: false,
    unkillable: false,
    reason: null,
    pid: 7,
    run: 1,
    restarts: 0,
    uptime_seconds: 1,
    ready_after_seconds: 0.1,
    gpus: null,
    exit: null,
    success: null,
    memory: null,
    schedule: null,
    ...given,
  };
}

export class FakeOutlet implements Outlet {
  queued = 0;
  text = '';
  ended = false;

  write(text: string | Uint8Array): void {
    this.text += typeof text === 'string' ? text : Buffer.from(text).toString();
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    this.ended = true;
  }

  get lines(): readonly Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
}

export class FakeSource implements ApiSource {
  readonly version = '1.2.3';
  readonly pid = 1;
  readonly asked: string[] = [];
  readonly events = new Journal();
  services: WireService[];
  phase: WireSnapshot['phase'] = 'running';
  past = new Map<string, LogLine[]>();
  readonly followers = new Map<string, Set<(block: LogBlock) => void>>();
  readonly timers: { ms: number; fn: () => void }[] = [];
  readonly watchers = new Set<() => void>();
  wrong = false;
  /** Those of a file that is `wrong`; empty: a port of it is taken. */
  diagnostics: readonly unknown[] = [{ line: 3 }];

  constructor(services: WireService[] = [seen('db', { group: 'base' }), seen('api', { group: 'app' })]) {
    this.services = services;
  }

  snapshot = (): WireSnapshot => ({
    name: 'test',
    phase: this.phase,
    healthy: this.services.every(({ ready }) => ready),
    groups: ['base', 'app'],
    services: this.services,
  });
  usage = () => new Map([['db', { cpu_seconds: 1, memory_bytes: 2, processes: 3 }]]);
  gpuUses: Awaited<ReturnType<ApiSource['gpus']>> = { devices: [], why: null };
  gpus = () => Promise.resolve(this.gpuUses);
  attempts: ApiSource['attempts'] = () => [];
  environmentOf: ApiSource['environmentOf'] = () => null;
  runs: ApiSource['runs'] = () => [];
  plan = () => plan([service('db'), service('api', { edges: [on('db')] })]);
  timeline = () => ({ name: 'test', elapsed_ms: 1, ready_ms: 1, services: [] });
  history: ApiSource['history'] = { restarts: 0, reasons: {}, last: null };
  readonly done = new Set<string>();
  isDone = (key: string) => this.done.has(key);
  #note(text: string, key: string | null): void {
    this.asked.push(text);
    if (key !== null) this.done.add(key);
  }
  operate = (operation: string, names: readonly string[], key: string | null) =>
    this.#note(`${operation} ${names.join(' ')}`, key);
  signal = (signal: string, names: readonly string[], key: string | null) =>
    this.#note(`${signal} ${names.join(' ')}`, key);
  parseSignal = (text: string) => {
    const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
    const ok = ['SIGHUP', 'SIGUSR1'].includes(name);
    return ok ? { ok, name } : { ok: false as const, why: 'there is no signal' };
  };
  reload = async (how: string) => {
    this.asked.push(`reload ${how}`);
    if (this.wrong) return { ok: false as const, diagnostics: this.diagnostics, text: 'x.yaml:3:1: error' };
    return { ok: true as const, added: ['new'], idle: [], removed: [], changed: [], unchanged: ['db'], scale: [] };
  };
  scale = async (service: string, replicas: number, how: string) => {
    this.asked.push(`scale ${service} ${replicas} ${how}`);
    if (this.wrong) return { ok: false as const, diagnostics: [], text: 'other changes', isOther: true as const };
    return { ok: true as const, added: [`${service}.1`], idle: [], removed: [], changed: [], unchanged: [], scale: [] };
  };
  logs = {
    tail: (name: string, count: number) => (this.past.get(name) ?? []).slice(-count),
    follow: (name: string, listener: (block: LogBlock) => void) => {
      const followers = this.followers.get(name) ?? new Set();
      this.followers.set(name, followers.add(listener));
      return () => followers.delete(listener);
    },
  };
  readonly pidNamespace = 'pid:[1]';
  exec: ApiSource['exec'] = async (name, { argv, input, take }) => {
    this.asked.push(`exec ${name} ${argv.join(' ')}${input === null ? '' : ` < ${input.path}`}`);
    await take('stdout', Buffer.from('out'));
    return { code: 5, failure: null };
  };
  watch = (watcher: () => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };
  now = 1_000;
  wall = () => this.now;
  after = (ms: number, fn: () => void) => {
    const timer = { ms, fn };
    this.timers.push(timer);
    return () => {
      const at = this.timers.indexOf(timer);
      if (at >= 0) this.timers.splice(at, 1);
    };
  };

  /** Lets the oldest timer fire. */
  tick(): void {
    this.timers.shift()?.fn();
  }

  print(name: string, text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    for (const listener of this.followers.get(name) ?? []) {
      listener({ time: 0, stream, bytes: Buffer.from(text), prefix: 0 });
    }
  }
}

/** One request, as a listener passes it on. */
export async function request(
  source: ApiSource,
  method: string,
  target: string,
  body = '',
  key?: string,
): Promise<ApiResponse> {
  const found = findRoute(method, target, ROUTES);
  if (!isFound(found)) return found;
  const parsed = parseBody(body);
  if ('status' in parsed) return parsed;
  const { params, query } = found;
  return found.route.respond(source, { isLocal: true, params, query, body: parsed.body, key: key ?? null });
}

/** The body of a JSON response. */
export function bodyOf(respond: ApiResponse): Record<string, unknown> {
  if (!('body' in respond)) throw new Error('the answer is no JSON');
  return respond.body as Record<string, unknown>;
}

/** Begins a streaming response. */
export function open(respond: ApiResponse): { readonly outlet: FakeOutlet; readonly stop: () => void } {
  if (!('lines' in respond)) throw new Error(`the answer is no stream: ${JSON.stringify(respond)}`);
  const outlet = new FakeOutlet();
  const stop = respond.lines(outlet);
  return { outlet, stop };
}
