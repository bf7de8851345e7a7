// What people see: the progress line, the difference of a reload, the timeline as text and as a picture, the graph. Pure.
import { describe, expect, test } from 'bun:test';
import { renderDot, renderGraph, renderSvg, renderTimeline } from '../../src/cli/charts.ts';
import { renderReload } from '../../src/cli/operations.ts';
import { renderProgress } from '../../src/cli/progress.ts';
import { renderRestarts } from '../../src/control/table.ts';
import { toWireTimeline } from '../../src/control/wire.ts';
import { takeTimeline } from '../../src/core/timeline.ts';
import { readyFrom } from '../helpers/behaviour.ts';
import { on, plan, probe, service } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const awaited = {
  name: 'vllm',
  state: 'starting',
  reason: 'HTTP 503',
  uptime_seconds: 130,
  last_line: 'Loading safetensors 3/8',
};

test('progress says who, how long, why not, the last line, and how many more', () => {
  expect(renderProgress([awaited])).toBe('vllm starting 2m10s · HTTP 503 · last line: Loading safetensors 3/8');
  const pending = {
    name: 'web',
    state: 'pending',
    reason: 'waits for vllm to be ready',
    uptime_seconds: null,
    last_line: null,
  };
  expect(renderProgress([pending, { ...awaited, last_line: '\x1b[32mok\x1b[0m\tnow\x07' }])).toBe(
    'vllm starting 2m10s · HTTP 503 · last line: ok now · and 1 more',
  );
  expect(renderProgress([])).toBe('');
});

test('a reload is a line for each service that it concerns', () => {
  const body = {
    applied: true,
    added: ['new'],
    removed: ['old'],
    changed: [
      { name: 'a', fields: ['env'], restarts: true },
      { name: 'b', fields: ['restart'], restarts: false },
    ],
    unchanged: ['c', 'd'],
  };
  expect(renderReload(body)).toBe(
    '+ new: starts\n~ a: env: restarts\n~ b: restart\n- old: stops\napplied; 2 unchanged\n',
  );
  expect(renderReload({ ...body, added: [], removed: [], changed: [] })).toBe('nothing has changed\n');
});

describe('timeline', () => {
  const services = [
    service('db', { ready: [probe()] }),
    service('cache'),
    service('api', { edges: [on('db'), on('cache', 'started')], ready: [probe()] }),
    service('<web>', { edges: [on('api')] }),
  ];
  const sim = simulate(plan(services), { db: { probe: readyFrom(2_000) }, api: { probe: readyFrom(500) } }).until(
    10_000,
  );
  const timeline = toWireTimeline(takeTimeline(sim.world, sim.now));

  test('knows what everything waited for', () => {
    expect(timeline.services.filter(({ critical }) => critical).map(({ name }) => name)).toEqual([
      'db',
      'api',
      '<web>',
    ]);
    expect(timeline.services.find(({ name }) => name === 'api')).toMatchObject({ after: 'db', state: 'ready' });
    expect(timeline.ready_ms).toBeGreaterThan(2_500);
  });

  test('as text', () => {
    const text = renderTimeline(timeline, false);
    expect(text).toMatch(/^everything was ready after 2\.\d s\ncritical chain \(\*\): db > api > <web>$/m);
    expect(text).toMatch(/^\* db +\+0 ms +\+2\.0 s +2\.0 s +█{30,}$/m);
    expect(text).toMatch(/^ {2}cache +\+0 ms +\+0 ms +0 ms +░$/m);
  });

  test('as a picture that is well-formed and needs nothing from elsewhere', () => {
    const svg = renderSvg(timeline);
    expect(svg).toContain('&lt;web&gt;');
    expect(svg.match(/class="critical"/g)?.length).toBe(3);
    expect(svg).not.toMatch(/<script|href|url\(/);
    const open = svg.match(/<(svg|style|text|g|title)[ >]/g)?.length;
    expect(svg.match(/<\/(svg|style|text|g|title)>/g)?.length).toBe(open as number);
  });

  test('of a start that goes on: it reaches up to now', () => {
    const open = simulate(plan([service('a', { ready: [probe()] }), service('b', { edges: [on('a')] })]), {
      a: { probe: readyFrom(60_000) },
    }).until(5_000);
    const text = renderTimeline(toWireTimeline(takeTimeline(open.world, open.now)), false);
    expect(text).toMatch(/not everything is ready yet/);
    expect(text).toMatch(/^\* a +\+0 ms +not yet \(starting\) +5\.0 s/m);
    expect(text).toMatch(/b {2}has not started: waits for a/);
  });
});

test('the graph as text and for Graphviz', () => {
  const nodes = [
    { name: 'db', type: 'task', group: null, state: 'completed', needs: [] },
    {
      name: 'a"b',
      type: 'service',
      group: null,
      state: 'ready',
      needs: [{ on: 'db', condition: 'completed', origin: 'stage' }],
    },
    {
      name: 'c',
      type: 'service',
      group: null,
      state: 'ready',
      needs: [{ on: 'db', condition: 'completed', origin: 'declared', restarts: true }],
    },
  ] as const;
  expect(renderGraph(nodes)).toBe(
    'SERVICE  STATE      WAITS FOR\ndb       completed  -\na"b      ready      db (completed, stage)\n' +
      'c        ready      db (completed, restarts)\n',
  );
  expect(renderDot(nodes)).toContain('"c" -> "db" [label="completed, restarts"];');
  expect(renderDot(nodes)).toContain('"a\\"b" -> "db" [label="completed", style=dashed];');
});

test('the line on restarts of the supervisor is there if there was one', () => {
  const last = { time: '2026-01-02T03:04:05.000Z', reason: 'was killed by SIGKILL' };
  const wall = Date.parse(last.time) + 90_000;
  const line = (restarts: number) =>
    renderRestarts({ restarts, reasons: {}, last: restarts === 0 ? null : last }, wall);
  expect(line(0)).toBe('');
  expect(line(1)).toBe('the supervisor was restarted once, last 1m30s ago: it was killed by SIGKILL\n');
  expect(line(3)).toBe('the supervisor was restarted 3 times, last 1m30s ago: it was killed by SIGKILL\n');
});
