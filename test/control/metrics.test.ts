// The text of the metrics: its contents, escaping of names and numbers, and that promtool accepts it.
import { describe, expect, test } from 'bun:test';
import { type Counters, type MetricsInput, renderMetrics } from '../../src/control/metrics.ts';
import type { WireService } from '../../src/control/wire.ts';
import { BOUNDS, Counts } from '../../src/runtime/counts.ts';

const service = (name: string, given: Partial<WireService> = {}) =>
  ({
    name,
    type: 'service',
    group: null,
    essential: true,
    state: 'ready',
    ready: true,
    reason: null,
    pid: 7,
    run: 1,
    restarts: 0,
    uptime_seconds: 1.5,
    ready_after_seconds: 0.25,
    exit: null,
    memory: null,
    schedule: null,
    ...given,
  }) as WireService;

function measured(services: readonly WireService[], given: Partial<Counters> = {}): MetricsInput {
  return {
    snapshot: { name: 'stack', phase: 'running', healthy: true, services } as unknown as MetricsInput['snapshot'],
    usage: new Map([['web', { cpu_seconds: 2.5, memory_bytes: 4096, processes: 3 }]]),
    counters: {
      bounds: BOUNDS,
      probes: new Map(),
      cleanedUp: new Map(),
      logs: new Map(),
      reaped: 4,
      self: { memory_bytes: 1, cpu_seconds: 0.5, started_at: 1_700_000_000, timers: 3 },
      ...given,
    },
    version: '1.2.3',
    history: { restarts: 3, reasons: { SIGKILL: 2, 'exit 1': 1 }, last: { at: 0, reason: 'exited with code 1' } },
  };
}

/** The value of each sample, by its name and labels. */
function samples(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]));
}

function countedProbes(): Counters['probes'] {
  const counts = new Counts();
  counts.addAttempt('web', 'ready', 0, 'failed', 3);
  counts.addAttempt('web', 'ready', 0, 'failed', 5);
  counts.addAttempt('web', 'ready', 0, 'ok', 700);
  counts.addAttempt('web', 'live', 1, 'timeout', 60_000);
  return new Map([...counts.probes].map(([name, probes]) => [name, [...probes.values()]]));
}

const FULL = measured(
  [
    service('web', { restarts: 2, run: 3 }),
    service('odd"\\', { state: 'failed', ready: false, pid: null, uptime_seconds: null, ready_after_seconds: null }),
  ],
  {
    probes: countedProbes(),
    cleanedUp: new Map([['web', 5]]),
    logs: new Map([
      [
        'web',
        {
          stdout: { lines: 10, bytes: 200, dropped: 1, cuts: 2 },
          stderr: { lines: 0, bytes: 0, dropped: 0, cuts: 0 },
        },
      ],
    ]),
  },
);

describe('the metrics', () => {
  const found = samples(renderMetrics(FULL));

  test('contain each state of each service, one of them 1', () => {
    const states = [...found].filter(([key]) => key.startsWith('svc_super_service_state{service="web"'));
    expect(states).toHaveLength(13);
    expect(states.filter(([, value]) => value === '1').map(([key]) => key)).toEqual([
      'svc_super_service_state{service="web",state="ready"}',
    ]);
  });

  test.each([
    ['svc_super_build_info{version="1.2.3",name="stack"}', '1'],
    ['svc_super_healthy', '1'],
    ['svc_super_service_ready{service="web"}', '1'],
    ['svc_super_service_restarts_total{service="web"}', '2'],
    ['svc_super_service_runs_total{service="web"}', '3'],
    ['svc_super_service_readiness_seconds{service="web"}', '0.25'],
    ['svc_super_service_cpu_seconds_total{service="web"}', '2.5'],
    ['svc_super_service_memory_bytes{service="web"}', '4096'],
    ['svc_super_service_processes{service="web"}', '3'],
    ['svc_super_service_processes{service="odd\\"\\\\"}', '0'],
    ['svc_super_service_cleaned_up_processes_total{service="web"}', '5'],
    ['svc_super_probe_attempts_total{service="web",probe="ready",index="0",result="failed"}', '2'],
    ['svc_super_probe_attempts_total{service="web",probe="live",index="1",result="timeout"}', '1'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="ready",index="0",le="0.005"}', '2'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="ready",index="0",le="0.5"}', '2'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="ready",index="0",le="1"}', '3'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="ready",index="0",le="+Inf"}', '3'],
    ['svc_super_probe_duration_seconds_count{service="web",probe="ready",index="0"}', '3'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="live",index="1",le="10"}', '0'],
    ['svc_super_probe_duration_seconds_bucket{service="web",probe="live",index="1",le="+Inf"}', '1'],
    ['svc_super_log_lines_total{service="web",stream="stdout"}', '10'],
    ['svc_super_log_bytes_total{service="web",stream="stdout"}', '200'],
    ['svc_super_log_dropped_lines_total{service="web",stream="stdout"}', '1'],
    ['svc_super_log_cuts_total{service="web",stream="stdout"}', '2'],
    ['svc_super_supervisor_restarts_total{reason="SIGKILL"}', '2'],
    ['svc_super_supervisor_restarts_total{reason="exit 1"}', '1'],
    ['svc_super_supervisor_restarts_total{reason="hung"}', '0'],
    ['svc_super_reaped_orphans_total', '4'],
    ['svc_super_timers', '3'],
    ['process_start_time_seconds', '1700000000'],
  ])('hold %s', (key, value) => {
    expect(found.get(key)).toBe(value);
  });

  test('leave out unknown values instead of 0', () => {
    expect(found.has('svc_super_service_readiness_seconds{service="odd\\"\\\\"}')).toBe(false);
    expect(found.has('svc_super_service_uptime_seconds{service="odd\\"\\\\"}')).toBe(false);
    expect(renderMetrics(measured([]))).not.toContain('svc_super_service_state');
  });

  test('are all in docs/http.md', async () => {
    const text = await Bun.file(new URL('../../docs/http.md', import.meta.url)).text();
    const endings = [...text.matchAll(/`(_\w+)`/g)].map(([, ending = '']) => ending);
    const names = [...renderMetrics(FULL).matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(
      names.filter((name) => !text.includes(`\`${name}\``) && !endings.some((ending) => name.endsWith(ending))),
    ).toEqual([]);
  });

  const promtool = Bun.which('promtool');
  if (promtool === null && process.env.CI === 'true') throw new Error('promtool is missing: install prometheus');
  test.skipIf(promtool === null)('are accepted by promtool', () => {
    for (const one of [FULL, measured([])]) {
      const stdin = Buffer.from(renderMetrics(one));
      const { exitCode, stdout, stderr } = Bun.spawnSync([promtool ?? '', 'check', 'metrics'], { stdin });
      expect(`${stdout}${stderr}`).toBe('');
      expect(exitCode).toBe(0);
    }
  });
});
