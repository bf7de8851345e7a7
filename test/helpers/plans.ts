// Plans for tests, built from what matters to the test: everything else has the default that SPEC.md names. Plain values,
// nothing is loaded or checked.

import { SUCCESSION } from '../../src/pid1/protocol.ts';
import type {
  Condition,
  Edge,
  GpuPlan,
  LogProbe,
  Millis,
  NotifyProbe,
  Plan,
  Probe,
  ProbeCommon,
  RestartPolicy,
  SchedulePlan,
  ServicePlan,
  StopPlan,
  TcpProbe,
} from '../../src/plan/plan.ts';
import type { Exit, ProcessAttributes } from '../../src/plan/process.ts';

const NEVER: RestartPolicy = {
  policy: 'never',
  max: null,
  within: null,
  backoff: { initial: 500, max: 30_000, factor: 2 },
};
const STOP: StopPlan = { signal: 'SIGTERM', timeout: null, to: 'main', leftoverTimeout: null, argv: null };
const COMMON: ProbeCommon = {
  timeout: 5_000,
  interval: 10_000,
  startInterval: null,
  successes: 1,
  failures: 3,
  continuous: false,
};

/** Attributes of a process that sets none. */
export const INHERITED: ProcessAttributes = {
  user: null,
  umask: null,
  nice: null,
  oomScoreAdj: null,
  cpus: null,
  limits: {},
  memory: null,
};

type Given = Partial<Omit<ServicePlan, 'name' | 'stop'>> & { readonly stop?: Partial<StopPlan> };

export function service(name: string, given: Given = {}): ServicePlan {
  return {
    name,
    type: 'service',
    schedule: null,
    enabled: true,
    start: 'auto',
    group: null,
    argv: [`/bin/${name}`],
    edges: [],
    stageEdges: [],
    ready: [],
    live: [],
    startTimeout: 1_800_000,
    startStall: null,
    restart: NEVER,
    successCodes: [0],
    essential: true,
    forward: {},
    env: {},
    secrets: [],
    cwd: null,
    attributes: INHERITED,
    memoryWatch: null,
    ports: [],
    log: {
      ...{ prefix: true, format: 'text', time: false, whenFull: 'block', ansi: 'keep', merge: true },
      ...{ drop: [], file: null, stderrFile: null },
    },
    hooks: { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null },
    gpus: null,
    replica: null,
    ...given,
    stop: { ...STOP, ...given.stop },
  };
}

export function task(name: string, given: Given = {}): ServicePlan {
  return service(name, { type: 'task', ...given });
}

/** A task that runs by an expression of cron, in UTC unless `timeZone` says otherwise. */
export function cron(
  expression: string,
  given: Partial<SchedulePlan> & { readonly timeZone?: string } = {},
): SchedulePlan {
  const { timeZone = 'UTC', ...rest } = given;
  return { when: { kind: 'cron', expression, timeZone }, overlap: 'skip', catchUp: false, jitter: 0, ...rest };
}

export function every(interval: Millis, given: Partial<SchedulePlan> = {}): SchedulePlan {
  return { when: { kind: 'every', interval }, overlap: 'skip', catchUp: false, jitter: 0, ...given };
}

export function plan(services: readonly ServicePlan[], given: Partial<Omit<Plan, 'services'>> = {}): Plan {
  return {
    name: 'test',
    file: '/test/services.yaml',
    exit: 'first',
    stopTimeout: 9_000,
    stopSignals: ['SIGTERM', 'SIGINT', 'SIGQUIT'],
    log: { level: 'info', format: 'text', time: false },
    control: null,
    succession: SUCCESSION,
    hosts: false,
    services,
    ...given,
  };
}

export function on(target: string, condition: Condition = 'ready', origin: Edge['origin'] = 'declared'): Edge {
  return { on: target, condition, origin };
}

/** Members of one stage wait for every member of the one before it, as a plan with `groups` says. */
export function stages(...groups: readonly (readonly ServicePlan[])[]): ServicePlan[] {
  return groups.flatMap((members, position) => {
    const before = groups[position - 1] ?? [];
    const edges = before.map(({ name, type }) => on(name, type === 'task' ? 'completed' : 'ready', 'stage'));
    return members.map((member) => ({ ...member, group: `g${position}`, stageEdges: edges }));
  });
}

export function tcp(given: Partial<Omit<TcpProbe, 'kind'>> = {}): TcpProbe {
  return { kind: 'tcp', host: '127.0.0.1', port: 80, socket: null, ...COMMON, ...given };
}

export function logLine(pattern = 'listening', given: Partial<ProbeCommon> = {}): LogProbe {
  return { kind: 'log', pattern, ...COMMON, ...given };
}

export function notify(fd: number | null = null): NotifyProbe {
  return { kind: 'notify', fd, ...COMMON };
}

/** A probe that is asked (not latched), whatever its kind. */
export const probe: (given?: Partial<ProbeCommon>) => Probe = tcp;

export function restart(
  policy: RestartPolicy['policy'],
  given: Partial<Omit<RestartPolicy, 'policy'>> & { readonly initial?: Millis } = {},
): RestartPolicy {
  const { initial, ...rest } = given;
  const backoff = initial === undefined ? NEVER.backoff : { ...NEVER.backoff, initial };
  return { ...NEVER, backoff, ...rest, policy };
}

/** One GPU, in the service's own use. */
export const gpus = (given: Partial<GpuPlan> = {}): GpuPlan => ({
  vendor: 'nvidia',
  devices: [{ id: '0', index: 0, name: 'H200' }],
  shared: false,
  minFree: null,
  freeTimeout: seconds(60),
  onLost: 'exit',
  ...given,
});

export function withCode(value: number): Exit {
  return { kind: 'code', code: value };
}

const NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

export function bySignal(signal: 'SIGHUP' | 'SIGINT' | 'SIGKILL' | 'SIGSEGV' | 'SIGTERM'): Exit {
  return { kind: 'signal', signal, number: NUMBERS[signal] ?? 0 };
}

/** Milliseconds, for reading: `seconds(9)`. */
export function seconds(value: number): Millis {
  return value * 1_000;
}
