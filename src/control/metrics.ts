// The metrics in the text format of Prometheus: a pure function of a snapshot, the usage of the processes and counters
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Counts nothing itself.
import type { History, Usage } from './source.ts';
import type { WireService, WireSnapshot } from './wire.ts';

interface ProbeCounters {
  readonly kind: string;
  readonly index: number;
  readonly results: Readonly<Record<string, number>>;
  /** Attempts per bucket, not cumulative; one bucket more than there are bounds. */
  readonly buckets: readonly number[];
  readonly seconds: number;
}

interface StreamCounters {
  readonly lines: number;
  readonly bytes: number;
  readonly dropped: number;
  /** How often output may be missing because the supervisor was restarted. */
  readonly cuts: number;
}

/** Counters since the start. */
export interface Counters {
  /** Upper bounds of the probe buckets, seconds. */
  readonly bounds: readonly number[];
  readonly probes: ReadonlyMap<string, readonly ProbeCounters[]>;
  readonly cleanedUp: ReadonlyMap<string, number>;
  readonly logs: ReadonlyMap<string, Readonly<Record<'stdout' | 'stderr', StreamCounters>>>;
  readonly reaped: number;
  /** The supervisor's own resources. */
  readonly self: {
    readonly memory_bytes: number;
    readonly cpu_seconds: number;
    readonly started_at: number;
    /** Armed timers. */
    readonly timers: number;
  };
}

export interface MetricsInput {
  readonly snapshot: WireSnapshot;
  readonly usage: ReadonlyMap<string, Usage>;
  readonly counters: Counters;
  readonly version: string;
  readonly history: History;
}

/** All states: the one-hot metric has a sample for each of them. */
const STATES = Object.keys({
  skipped: 0,
  idle: 0,
  pending: 0,
  starting: 0,
  running: 0,
  ready: 0,
  unready: 0,
  stopping: 0,
  backoff: 0,
  scheduled: 0,
  stopped: 0,
  completed: 0,
  failed: 0,
} satisfies Readonly<Record<WireService['state'], 0>>);

/** The most common reasons are exposed from the start: rate() ignores a counter whose first value is 1. */
const INITIAL_RESTARTS: Readonly<Record<string, number>> = { SIGKILL: 0, SIGSEGV: 0, hung: 0, 'exit 70': 0 };

type Labels = Readonly<Record<string, string | number>>;
interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** Appended to the family's name: `_bucket`. */
  readonly suffix?: string;
}

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  samples(measured: MetricsInput): readonly Sample[];
}

const forEachService =
  (read: (service: WireService, measured: MetricsInput) => number | null | undefined) =>
  (measured: MetricsInput): readonly Sample[] =>
    measured.snapshot.services.flatMap((service) => {
      const value = read(service, measured);
      return value === null || value === undefined ? [] : [{ labels: { service: service.name }, value }];
    });

/** ISO 8601 as seconds since 1970. */
const toTimestamp = (time: string | null | undefined): number | null =>
  time === null || time === undefined ? null : Date.parse(time) / 1_000;

const forEachStream =
  (read: (numbers: StreamCounters) => number) =>
  ({ counters }: MetricsInput): readonly Sample[] =>
    [...counters.logs].flatMap(([service, streams]) =>
      (['stdout', 'stderr'] as const).map((stream) => ({ labels: { service, stream }, value: read(streams[stream]) })),
    );

const forEachProbe =
  (read: (numbers: ProbeCounters, labels: Labels, bounds: readonly number[]) => readonly Sample[]) =>
  ({ counters }: MetricsInput): readonly Sample[] =>
    [...counters.probes].flatMap(([service, probes]) =>
      probes.flatMap((probe) => read(probe, { service, probe: probe.kind, index: probe.index }, counters.bounds)),
    );

const FAMILIES = {
  svc_super_build_info: {
    type: 'gauge',
    help: 'Always 1; the labels are the version and the name of the configuration',
    samples: ({ version, snapshot }) => [{ labels: { version, name: snapshot.name }, value: 1 }],
  },
  svc_super_healthy: {
    type: 'gauge',
    help: 'Whether every essential service is ready and every essential task has completed',
    samples: ({ snapshot }) => [{ value: Number(snapshot.healthy) }],
  },
  svc_super_service_state: {
    type: 'gauge',
    help: 'The state of a service: 1 for its current state, 0 for the others',
    samples: ({ snapshot }) =>
      snapshot.services.flatMap(({ name, state }) =>
        STATES.map((one) => ({ labels: { service: name, state: one }, value: Number(one === state) })),
      ),
  },
  svc_super_service_ready: {
    type: 'gauge',
    help: 'Whether a service is ready, or a task has completed',
    samples: forEachService(({ ready }) => Number(ready)),
  },
  svc_super_service_restarts_total: {
    type: 'counter',
    help: 'Automatic restarts of a service, caused by its restart policy',
    samples: forEachService(({ restarts }) => restarts),
  },
  svc_super_service_runs_total: {
    type: 'counter',
    help: 'Runs of a service, including the first one and those after a stop by the operator',
    samples: forEachService(({ run }) => run),
  },
  svc_super_service_readiness_seconds: {
    type: 'gauge',
    help: 'Time from spawn to ready of the latest start that became ready',
    samples: forEachService((service) => service.ready_after_seconds),
  },
  svc_super_service_uptime_seconds: {
    type: 'gauge',
    help: 'Time since the current run was spawned; only while it runs',
    samples: forEachService((service) => service.uptime_seconds),
  },
  svc_super_task_next_run_timestamp_seconds: {
    type: 'gauge',
    help: 'The next time of a scheduled task, seconds since 1970',
    samples: forEachService(({ schedule }) => toTimestamp(schedule?.next_run)),
  },
  svc_super_task_last_run_timestamp_seconds: {
    type: 'gauge',
    help: 'When the latest run of a scheduled task ended, seconds since 1970',
    samples: forEachService(({ schedule }) => toTimestamp(schedule?.last_run?.ended_at)),
  },
  svc_super_task_last_run_success: {
    type: 'gauge',
    help: 'Whether the latest run of a scheduled task was a success',
    samples: forEachService(({ schedule }) => (schedule?.last_run == null ? null : Number(schedule.last_run.success))),
  },
  svc_super_task_runs_total: {
    type: 'counter',
    help: 'Scheduled times of a task by outcome: completed, failed, skipped, missed',
    samples: ({ snapshot }) =>
      snapshot.services.flatMap(({ name, schedule }) =>
        schedule === null
          ? []
          : (['completed', 'failed', 'skipped', 'missed'] as const).map((result) => ({
              labels: { service: name, result },
              value: schedule[result],
            })),
      ),
  },
  svc_super_service_cpu_seconds_total: {
    type: 'counter',
    help: "Processor time of a service's living processes; reset at each run",
    samples: forEachService(({ name }, { usage }) => usage.get(name)?.cpu_seconds),
  },
  svc_super_service_memory_bytes: {
    type: 'gauge',
    help: "Resident memory of a service's processes, with shared memory counted once",
    samples: forEachService(({ name }, { usage }) => usage.get(name)?.memory_bytes),
  },
  svc_super_service_memory_max_bytes: {
    type: 'gauge',
    help: '`max_memory` of a service: private memory above it is handled as `on_exceed` says',
    samples: forEachService(({ memory }) => memory?.max_bytes),
  },
  svc_super_service_memory_exceeded_total: {
    type: 'counter',
    help: 'How often a service has used more memory than `max_memory`',
    samples: forEachService(({ memory }) => memory?.exceeded),
  },
  svc_super_service_processes: {
    type: 'gauge',
    help: 'Processes of a service',
    samples: forEachService(({ name, pid }, { usage }) => usage.get(name)?.processes ?? (pid === null ? 0 : null)),
  },
  svc_super_service_cleaned_up_processes_total: {
    type: 'counter',
    help: 'Leftover processes that a main process left when it ended by itself, or that needed SIGKILL after a stop',
    samples: forEachService(({ name }, { counters }) => counters.cleanedUp.get(name) ?? 0),
  },
  svc_super_probe_attempts_total: {
    type: 'counter',
    help: 'Finished probe attempts by result: ok, failed, timeout',
    samples: forEachProbe(({ results }, labels) =>
      Object.entries(results).map(([result, value]) => ({ labels: { ...labels, result }, value })),
    ),
  },
  svc_super_probe_duration_seconds: {
    type: 'histogram',
    help: 'Duration of probe attempts',
    samples: forEachProbe((probe, labels, bounds) => {
      let count = 0;
      const buckets = probe.buckets.map((here, at): Sample => {
        count += here;
        return { suffix: '_bucket', labels: { ...labels, le: bounds[at] ?? '+Inf' }, value: count };
      });
      return [...buckets, { suffix: '_sum', labels, value: probe.seconds }, { suffix: '_count', labels, value: count }];
    }),
  },
  svc_super_log_lines_total: {
    type: 'counter',
    help: 'Lines that a service has printed',
    samples: forEachStream(({ lines }) => lines),
  },
  svc_super_log_bytes_total: {
    type: 'counter',
    help: 'Bytes that a service has printed',
    samples: forEachStream(({ bytes }) => bytes),
  },
  svc_super_log_dropped_lines_total: {
    type: 'counter',
    help: 'Lines dropped because the output was not read',
    samples: forEachStream(({ dropped }) => dropped),
  },
  svc_super_log_cuts_total: {
    type: 'counter',
    help: 'How often output may be missing because the supervisor was restarted',
    samples: forEachStream(({ cuts }) => cuts),
  },
  svc_super_supervisor_restarts_total: {
    type: 'counter',
    help: 'Restarts of the supervisor, by the reason why the previous one ended',
    samples: ({ history }) =>
      Object.entries({ ...INITIAL_RESTARTS, ...history.reasons }).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
  },
  svc_super_reaped_orphans_total: {
    type: 'counter',
    help: 'Orphaned processes that were reaped',
    samples: ({ counters }) => [{ value: counters.reaped }],
  },
  svc_super_timers: {
    type: 'gauge',
    help: 'Armed timers of the supervisor',
    samples: ({ counters }) => [{ value: counters.self.timers }],
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: "The supervisor's own resident memory",
    samples: ({ counters }) => [{ value: counters.self.memory_bytes }],
  },
  process_cpu_seconds_total: {
    type: 'counter',
    help: "The supervisor's own processor time",
    samples: ({ counters }) => [{ value: counters.self.cpu_seconds }],
  },
  process_start_time_seconds: {
    type: 'gauge',
    help: 'Start time of the supervisor, seconds since 1970',
    samples: ({ counters }) => [{ value: counters.self.started_at }],
  },
} satisfies Readonly<Record<string, Family>>;

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The whole text; families without samples are left out. */
export function renderMetrics(measured: MetricsInput): string {
  return Object.entries<Family>(FAMILIES)
    .map(([name, family]) => {
      const samples = family.samples(measured);
      if (samples.length === 0) return '';
      const lines = samples.map(
        ({ suffix = '', labels, value }) => `${name}${suffix}${renderLabels(labels)} ${renderNumber(value)}\n`,
      );
      return `# HELP ${name} ${family.help.replaceAll('\\', '\\\\')}\n# TYPE ${name} ${family.type}\n${lines.join('')}`;
    })
    .join('');
}

function renderLabels(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function renderNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
