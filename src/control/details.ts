// The details of one service as JSON: its command, environment, ports, probes and runs. Never contains the value of a secret
// variable; other texts are shown without the passwords that are recognized in them. Reads nothing itself. Pure.
import type { Millis, Plan, Probe, ServicePlan } from '../plan/plan.ts';
import { describeTarget } from '../plan/probes.ts';
import { hideInArguments, hidePasswords, isSecretName } from '../plan/secrets.ts';
import { allEdges } from '../plan/stages.ts';
import type { PastRun } from './run-log.ts';
import type { LastAttempt } from './source.ts';
import { toWireExit, type WireService } from './wire.ts';

/** An environment variable. `value` is null if it is hidden: it is a secret, or the client has no token. */
interface VariableJson {
  readonly name: string;
  readonly value: string | null;
}

interface ProbeJson {
  readonly use: 'ready' | 'live';
  readonly kind: Probe['kind'];
  /** What the probe checks: an address, a command, a file, a pattern. */
  readonly target: string;
  readonly interval_seconds: number;
  readonly timeout_seconds: number;
  /** The latest attempt that has ended; null: none has. */
  readonly last: {
    readonly time: string;
    readonly result: LastAttempt['result'];
    readonly text: string;
    readonly seconds: number;
  } | null;
}

interface RunJson {
  readonly run: number;
  readonly started: string | null;
  readonly ended: string | null;
  readonly ready_after_seconds: number | null;
  readonly lasted_seconds: number | null;
  readonly exit: WireService['exit'];
  readonly result: PastRun['result'];
  readonly text: string | null;
}

/** The body of `GET /v1/services/{name}/details`. */
export interface DetailsBody {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string | null;
  readonly user: string | null;
  readonly env: readonly VariableJson[];
  readonly ports: readonly number[];
  readonly gpus: readonly { readonly id: string; readonly name: string }[] | null;
  readonly log_file: string | null;
  /** The file for standard error; null: its lines go to `log_file`. */
  readonly log_stderr_file: string | null;
  readonly restart: string;
  readonly stop: string;
  readonly needs: readonly { readonly on: string; readonly condition: string }[];
  readonly needed_by: readonly { readonly name: string; readonly condition: string }[];
  readonly probes: readonly ProbeJson[];
  /** Newest first. */
  readonly runs: readonly RunJson[];
}

interface DetailsInput {
  readonly service: WireService;
  readonly plan: Plan;
  /** The environment of the run; null: the environment of the plan. */
  readonly environment: Readonly<Record<string, string>> | null;
  readonly attempts: readonly LastAttempt[];
  readonly runs: readonly PastRun[];
  /** Wall time, milliseconds. */
  readonly now: number;
  /** Whether the values of variables may be shown. */
  readonly showsValues: boolean;
}

/** The details of `service`; null: the plan has no such service. */
export function describeService(input: DetailsInput): DetailsBody | null {
  const { service, plan, attempts, showsValues } = input;
  const own = plan.services.find(({ name }) => name === service.name);
  if (own === undefined) return null;
  const { name, argv, cwd, ports, gpus, log } = own;
  const { user } = own.attributes;
  const dependents = plan.services.flatMap((other) =>
    allEdges(other).flatMap(({ on, condition }) => (on === name ? [{ name: other.name, condition }] : [])),
  );
  return {
    name,
    command: hideInArguments(argv),
    cwd,
    user: user === null ? null : (user.name ?? `${user.uid}:${user.gid}`),
    env: variablesOf(input.environment ?? own.env, own, showsValues),
    ports,
    gpus: gpus === null ? null : gpus.devices.map((device) => ({ id: device.id, name: device.name })),
    log_file: log.file?.path ?? null,
    log_stderr_file: log.stderrFile?.path ?? null,
    restart: describeRestart(own),
    stop: describeStop(own, plan),
    needs: allEdges(own).map(({ on, condition }) => ({ on, condition })),
    needed_by: dependents,
    probes: [...probesOf(own, 'ready', attempts), ...probesOf(own, 'live', attempts)],
    runs: runsOf(input),
  };
}

function variablesOf(env: ServicePlan['env'], { secrets }: ServicePlan, showsValues: boolean): readonly VariableJson[] {
  const isHidden = (name: string) => !showsValues || secrets.includes(name) || isSecretName(name);
  return Object.entries(env)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value: isHidden(name) ? null : hidePasswords(value) }));
}

function probesOf(plan: ServicePlan, use: 'ready' | 'live', attempts: readonly LastAttempt[]): readonly ProbeJson[] {
  return plan[use].map((probe, index) => {
    // `kind` of an attempt is the use of its probe; `kind` of a probe is `http`, `exec` and so on.
    const last = attempts.find((one) => one.kind === use && one.index === index);
    return {
      use,
      kind: probe.kind,
      target: hidePasswords(describeTarget(probe)),
      interval_seconds: probe.interval / 1_000,
      timeout_seconds: probe.timeout / 1_000,
      last:
        last === undefined
          ? null
          : {
              time: toTime(last.at),
              result: last.result,
              text: hidePasswords(last.detail),
              seconds: toSeconds(last.took),
            },
    };
  });
}

function describeRestart({ restart: { policy, max, within } }: ServicePlan): string {
  if (policy === 'never' || max === null) return policy;
  return `${policy}, at most ${max}${within === null ? ' in a row' : ` within ${within / 1_000} s`}`;
}

function describeStop({ stop }: ServicePlan, { stopTimeout }: Plan): string {
  const how = stop.argv === null ? stop.signal : hideInArguments(stop.argv).join(' ');
  return `${how}, SIGKILL after ${(stop.timeout ?? stopTimeout) / 1_000} s`;
}

function runsOf({ service, runs, now }: DetailsInput): readonly RunJson[] {
  // `runs` lacks the current run if a previous supervisor started it.
  const isKnown = runs.some(({ run }) => run === service.run);
  const current: readonly RunJson[] =
    service.uptime_seconds === null || isKnown
      ? []
      : [
          {
            run: service.run,
            started: toTime(now - service.uptime_seconds * 1_000),
            ended: null,
            ready_after_seconds: service.ready_after_seconds,
            lasted_seconds: null,
            exit: null,
            result: 'running',
            text: null,
          },
        ];
  return [...current, ...[...runs].reverse().map(toRunJson)];
}

function toRunJson({ run, startedAt, endedAt, readyAfter, lasted, exit, result, text }: PastRun): RunJson {
  return {
    run,
    started: startedAt === null ? null : toTime(startedAt),
    ended: endedAt === null ? null : toTime(endedAt),
    ready_after_seconds: readyAfter === null ? null : toSeconds(readyAfter),
    lasted_seconds: lasted === null ? null : toSeconds(lasted),
    exit: toWireExit(exit),
    result,
    text: text === null ? null : hidePasswords(text),
  };
}

/** ISO 8601. `wall`: milliseconds since 1970. */
function toTime(wall: number): string {
  return new Date(wall).toISOString();
}

/** Seconds, rounded to whole milliseconds. */
function toSeconds(ms: Millis): number {
  return Math.round(ms) / 1_000;
}
