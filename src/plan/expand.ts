// THIN FIRST VERSION (being replaced): reads services.yaml without checking it and fills the defaults.
import { parse } from 'yaml';
import type { Diagnostic, Failure, Result } from '../config/diagnostic.ts';
import type { Condition, Edge, Plan, Probe, ServicePlan } from './plan.ts';

export interface LoadInput {
  readonly path: string;
  readonly files: {
    read(path: string): Uint8Array;
    stat(path: string): { size: number; isDirectory: boolean; isFile: boolean } | null;
  };
  readonly environment: Readonly<Record<string, string>>;
  readonly names?: readonly string[];
}
export interface Planned {
  readonly plan: Plan;
  readonly warnings: readonly Diagnostic[];
}

// biome-ignore lint/suspicious/noExplicitAny: thrown away with this file
type Raw = any;
const argv = (c: Raw): string[] => (typeof c === 'string' ? ['/bin/sh', '-c', c] : c.map(String));
function ms(text: Raw, fallback: number): number {
  if (typeof text !== 'string') return fallback;
  const unit: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let total = 0;
  for (const [, n, u] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) total += Number(n) * (unit[u ?? ''] ?? 0);
  return total;
}
const list = (v: Raw): Raw[] => (v === undefined || v === null ? [] : Array.isArray(v) ? v : [v]);
const signal = (s: Raw): string => (String(s).startsWith('SIG') ? String(s) : `SIG${s}`);

function probe(raw: Raw, port: number): Probe {
  const common = {
    timeout: ms(raw.timeout, 5000),
    interval: ms(raw.interval, 10_000),
    successes: raw.successes ?? 1,
    failures: raw.failures ?? 3,
    continuous: raw.continuous ?? false,
  };
  if (raw.http !== undefined) {
    const given = typeof raw.http === 'string' ? { url: raw.http } : raw.http;
    const url = given.url === undefined ? null : new URL(given.url);
    return {
      kind: 'http',
      ...common,
      scheme: url?.protocol === 'https:' ? 'https' : (given.scheme ?? 'http'),
      host: (url?.hostname ?? given.host ?? '127.0.0.1').replace('localhost', '127.0.0.1'),
      port: Number(url?.port || given.port || port),
      socket: given.socket ?? null,
      path: url === null ? (given.path ?? '/') : url.pathname + url.search,
      method: given.method ?? 'GET',
      headers: given.headers ?? {},
      body: given.body ?? null,
      status: given.status === undefined ? [[200, 399]] : list(given.status).map((s) => [s, s] as const),
      contains: given.contains ?? null,
      matches: given.matches ?? null,
      json: given.json ?? null,
      verifyTls: given.verify_tls ?? true,
    };
  }
  if (raw.tcp !== undefined) return { kind: 'tcp', ...common, host: '127.0.0.1', port: Number(raw.tcp) || port };
  if (raw.exec !== undefined) return { kind: 'exec', ...common, argv: argv(raw.exec) };
  if (raw.log !== undefined) return { kind: 'log', ...common, pattern: raw.log };
  if (raw.file !== undefined) return { kind: 'file', ...common, path: raw.file };
  return { kind: 'notify', ...common, fd: raw.notify?.fd ?? null };
}

/** Reads the file and makes the Plan of it. */
export function loadPlan(input: LoadInput): Result<Planned, Failure> {
  let doc: Raw;
  let text = '';
  try {
    text = new TextDecoder().decode(input.files.read(input.path));
    doc = parse(text, { merge: true });
    if (typeof doc?.services !== 'object') throw new Error('no services');
  } catch (cause) {
    const diagnostic: Diagnostic = {
      severity: 'error',
      code: 'unreadable',
      message: cause instanceof Error ? cause.message : String(cause),
      file: input.path,
      range: { line: 1, column: 1, endLine: 1, endColumn: 2 },
    };
    return { ok: false, error: { diagnostics: [diagnostic], sources: new Map([[input.path, text]]) } };
  }
  const services = Object.entries<Raw>(doc.services).map(([name, own]): ServicePlan => {
    const s = { ...doc.defaults, ...own };
    const ports = s.ports ?? (s.port === undefined ? [] : [s.port]);
    const restart = typeof s.restart === 'string' ? { policy: s.restart } : (s.restart ?? {});
    const stop = typeof s.stop === 'string' ? { signal: s.stop } : (s.stop ?? {});
    const on: Raw = s.depends_on ?? [];
    const edges = (Array.isArray(on) ? on.map((n) => [n, null]) : Object.entries<Raw>(on)).map(
      ([target, condition]): Edge => {
        const t = doc.services[target] ?? {};
        const usual: Condition = t.ready !== undefined ? 'ready' : t.type === 'task' ? 'completed' : 'started';
        return { on: target, condition: condition ?? usual, origin: 'declared' };
      },
    );
    const env: Record<string, string> = { ...input.environment };
    for (const [k, v] of Object.entries({ ...doc.env, ...s.env })) env[k] = String(v);
    env.SVC_NAME = name;
    env.SPT_NOENV = '1';
    if (ports[0] !== undefined && s.env?.PORT === undefined) env.PORT = String(ports[0]);
    const forward = Array.isArray(s.forward)
      ? Object.fromEntries(s.forward.map((x: Raw) => [signal(x), signal(x)]))
      : Object.fromEntries(Object.entries(s.forward ?? {}).map(([a, b]) => [signal(a), signal(b)]));
    return {
      name,
      type: s.type ?? 'service',
      enabled: s.enabled ?? true,
      group: s.group ?? null,
      argv: argv(s.command),
      edges,
      ready: list(s.ready).map((p) => probe(p, ports[0] ?? 0)),
      live: list(s.live).map((p) => probe(p, ports[0] ?? 0)),
      startTimeout: ms(s.start_timeout, 1_800_000),
      startStall: s.start_stall === undefined ? null : ms(s.start_stall, 0),
      restart: {
        policy: restart.policy ?? 'never',
        max: restart.max ?? null,
        within: restart.within === undefined ? null : ms(restart.within, 0),
        backoff: {
          initial: ms(restart.backoff?.initial, 500),
          max: ms(restart.backoff?.max, 30_000),
          factor: restart.backoff?.factor ?? 2,
        },
      },
      successCodes: s.success_codes ?? [0],
      essential: s.essential ?? true,
      stop: {
        signal: signal(stop.signal ?? 'TERM'),
        timeout: stop.timeout === undefined ? null : ms(stop.timeout, 0),
        to: stop.to ?? 'main',
        argv: stop.command === undefined ? null : argv(stop.command),
      },
      forward,
      env,
      secrets: [],
      cwd: s.cwd ?? null,
      user: null,
      umask: s.umask === undefined ? null : Number.parseInt(s.umask, 8),
      nice: s.nice ?? null,
      oomScoreAdj: s.oom_score_adj ?? null,
      cpus: null,
      limits: {},
      ports,
      log: { prefix: s.log?.prefix ?? true, format: s.log?.format ?? 'text', whenFull: s.log?.when_full ?? 'block' },
    };
  });
  const plan: Plan = {
    name: doc.name ?? 'svc-super',
    file: input.path,
    exit: doc.exit ?? 'first',
    stopTimeout: ms(doc.stop_timeout, 9000),
    format: doc.defaults?.log?.format ?? 'text',
    services,
  };
  return { ok: true, value: { plan, warnings: [] } };
}
