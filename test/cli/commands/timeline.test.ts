// The timeline as text and as a picture. Pure.
import { describe, expect, test } from 'bun:test';
import { renderSvg, renderTimeline } from '../../../src/cli/commands/timeline.ts';
import { startBars } from '../../../src/control/start-bars.ts';
import { toWireTimeline } from '../../../src/control/wire.ts';
import { takeTimeline } from '../../../src/core/timeline.ts';
import { readyFrom } from '../../helpers/behaviour.ts';
import { every, on, plan, probe, restart, service, task, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

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

  test('computes the critical path', () => {
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
    expect(text).toMatch(/^everything was ready after 2\.\d s\ncritical path \(\*\): db > api > <web>$/m);
    expect(text).toMatch(/^\* db +\+0 ms +\+2\.0 s +2\.0 s +█{30,}$/m);
    expect(text).toMatch(/^ {2}cache +\+0 ms +\+0 ms +0 ms +░$/m);
  });

  test('as a well-formed and self-contained picture', () => {
    const svg = renderSvg(timeline);
    expect(svg).toContain('&lt;web&gt;');
    expect(svg.match(/class="critical"/g)?.length).toBe(3);
    expect(svg).not.toMatch(/<script|href|url\(/);
    const open = svg.match(/<(svg|style|text|g|title)[ >]/g)?.length;
    expect(svg.match(/<\/(svg|style|text|g|title)>/g)?.length).toBe(open as number);
  });

  test('of a start in progress ends now', () => {
    const open = simulate(plan([service('a', { ready: [probe()] }), service('b', { edges: [on('a')] })]), {
      a: { probe: readyFrom(60_000) },
    }).until(5_000);
    const text = renderTimeline(toWireTimeline(takeTimeline(open.world, open.now)), false);
    expect(text).toMatch(/not everything is ready yet/);
    expect(text).toMatch(/^\* a +\+0 ms +not yet \(starting\) +5\.0 s/m);
    expect(text).toMatch(/b {2}has not started: waits for a/);
  });

  test('ends the bar of a service that has failed, or waits for its next run, when its run ended', () => {
    const failing = { probe: readyFrom(60_000), ends: { after: 999, exit: withCode(1) } };
    const given = { ready: [probe()], essential: false };
    const policy = restart('always', { backoff: { initial: 90_000, max: 90_000, factor: 1 } });
    const all = [service('a', given), service('b', given), service('c', { ...given, restart: policy })];
    const sim = simulate(plan(all), { a: { probe: readyFrom(4_000) }, b: failing, c: failing }).until(50_000);
    const read = toWireTimeline(takeTimeline(sim.world, sim.now));
    const text = renderTimeline(read, false);
    expect(text).toContain('critical path (*): c\n');
    expect(text).toMatch(/^. a +\+0 ms +\+4\.0 s +4\.0 s +.{40}$/m);
    expect(text).toMatch(/^. b +\+0 ms +failed +1\.0 s +.{10}$/m);
    expect(text).toMatch(/^. c +\+0 ms +not yet \(backoff\) +1\.0 s +.{10}$/m);
    expect(renderSvg(read)).toContain('b (1.0 s, failed)');
    expect(startBars(read).bars.map(({ name, isOpen }) => [name, isOpen])).toEqual([
      ['b', false],
      ['c', false],
      ['a', false],
    ]);
    sim.operate('stop', 'c').pass(100);
    expect(renderTimeline(toWireTimeline(takeTimeline(sim.world, sim.now)), false)).toContain('critical path (*): a\n');
  });

  test('leaves out what was first started later, and has the first run of a task that runs at the start', () => {
    const by = service('console', { start: 'manual', essential: false, edges: [on('a')] });
    const job = task('job', { schedule: every(60_000), essential: false });
    const run = simulate(plan([service('a'), job, by]), { job: { ends: { after: 50, exit: withCode(0) } } }).until(
      5_000,
    );
    run.operate('start', 'console').pass(1_000);
    const { services, ready_ms } = toWireTimeline(takeTimeline(run.world, run.now));
    expect(ready_ms).not.toBeNull();
    expect(services.map(({ name, critical }) => [name, critical])).toEqual([
      ['a', true],
      ['job', false],
    ]);
    expect(services[1]?.ready_ms).toBeLessThan(5_000);
  });
});
