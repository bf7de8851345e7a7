// Scheduled tasks in virtual time: when they run, what a clock that is set and summer time change, what comes of a time that finds a
// run, and what commands, reloads, successors and the end of the container make of them.
import { describe, expect, test } from 'bun:test';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import type { ServicePlan } from '../../src/plan/plan.ts';
import { cron, every, on, plan, restart, seconds, service, task, withCode } from '../helpers/plans.ts';
import { type Simulator, simulate } from '../helpers/simulator.ts';

const MINUTE = seconds(60);
const HOUR = 60 * MINUTE;
const at = (iso: string): number => Date.parse(iso);
const NOON = at('2026-06-01T12:00:00Z');

/** Wall times of the starts of a task. */
function starts(sim: Simulator, name = 'job'): string[] {
  return sim.deeds(name).flatMap((deed) => {
    const [when = '', what] = deed.split(' ');
    return what === 'spawn' ? [new Date(sim.wallAtZero + Number(when)).toISOString().slice(5, 19)] : [];
  });
}

const job = (schedule: ServicePlan['schedule'], given: Partial<Omit<ServicePlan, 'stop'>> = {}): ServicePlan =>
  task('job', { essential: false, schedule, ...given });
const quick = { ends: { after: 100, exit: withCode(0) } };
const slow = { ends: { after: 25 * MINUTE, exit: withCode(0) } };
const failing = { ends: { after: 100, exit: withCode(3) } };
const alone = (schedule: ServicePlan['schedule'], behaviour: object, wall = NOON): Simulator =>
  simulate(plan([job(schedule)]), { job: behaviour }, { wall });
const scheduleOf = (sim: Simulator, name = 'job') =>
  takeSnapshot(sim.world, sim.now).services.find((one) => one.name === name)?.schedule;

describe('a task with a schedule', () => {
  test('runs at its times, and the container goes on between them', () => {
    const sim = alone(cron('*/15 * * * *'), quick).until(40 * MINUTE);
    expect(starts(sim)).toEqual(['06-01T12:15:00', '06-01T12:30:00']);
    expect(sim.state('job')).toBe('scheduled');
    expect(sim.code).toBeNull();
    expect(scheduleOf(sim)?.counts).toEqual({ completed: 2, failed: 0, skipped: 0, missed: 0 });
    expect(scheduleOf(sim)?.next?.at).toBe(at('2026-06-01T12:45:00Z'));
    expect(Math.round(scheduleOf(sim)?.next?.in ?? 0)).toBe(5 * MINUTE);
  });

  test('with `every` runs at the start, and then at an interval from start to start', () => {
    expect(starts(alone(every(10 * MINUTE), quick).until(25 * MINUTE))).toEqual([
      '06-01T12:00:00',
      '06-01T12:10:00',
      '06-01T12:20:00',
    ]);
  });

  test('that fails is recorded and runs again; one that is essential ends the container', () => {
    const sim = alone(every(MINUTE), failing).until(2.5 * MINUTE);
    expect(scheduleOf(sim)?.counts.failed).toBe(3);
    expect(sim.said('failed')).toHaveLength(3);
    expect(sim.world.failures).toEqual([]);
    const essential = simulate(plan([job(cron('* * * * *'), { essential: true })]), { job: failing }, { wall: NOON });
    expect(takeSnapshot(essential.world, essential.now).healthy).toBe(true);
    expect(essential.untilEnd().code).toBe(3);
  });

  test('retries by its restart policy within one time, and each time anew', () => {
    const given = { restart: restart('on-failure', { max: 1, initial: 1_000 }) };
    const sim = simulate(plan([job(every(MINUTE), given)]), { job: failing }, { wall: NOON }).until(1.5 * MINUTE);
    expect(starts(sim)).toHaveLength(4);
    expect(sim.service('job').restarts).toBe(2);
  });

  test('starts later by its jitter, which copies do not share', () => {
    const copies = ['a', 'b', 'c'].map((name) => task(name, { schedule: cron('0 * * * *', { jitter: 10 * MINUTE }) }));
    const sim = simulate(plan(copies), () => quick, { wall: NOON }).until(1.5 * HOUR);
    const found = copies.map(({ name }) => starts(sim, name)[0] ?? '');
    expect(new Set(found).size).toBe(3);
    expect(found.every((one) => one >= '06-01T13:00:00' && one < '06-01T13:10:00')).toBe(true);
    expect(starts(sim, 'a')).toHaveLength(1);
  });
});

describe('a time that comes while a run is not over', () => {
  const overlapping = (overlap: 'skip' | 'queue' | 'kill') => alone(cron('*/10 * * * *', { overlap }), slow);

  test('is skipped, and reported', () => {
    const sim = overlapping('skip').until(55 * MINUTE);
    expect(starts(sim)).toEqual(['06-01T12:10:00', '06-01T12:40:00']);
    expect(scheduleOf(sim)?.counts.skipped).toBe(3);
    expect(new Set(sim.said('time-skipped'))).toEqual(
      new Set(['is not run this time: its run is not over (`overlap`)']),
    );
    expect(sim.said('time-skipped')).toHaveLength(3);
  });

  test('is queued once, and runs as soon as the run is over', () => {
    const sim = overlapping('queue').until(50 * MINUTE);
    expect(starts(sim).map((one) => one.slice(0, 11))).toEqual(['06-01T12:10', '06-01T12:35']);
    expect(scheduleOf(sim)?.counts.skipped).toBe(1);
    expect(sim.said('time-skipped')).toEqual(['is not run this time: one run is already queued (`overlap`)']);
  });

  test('stops the run and starts another one', () => {
    const sim = overlapping('kill').until(35 * MINUTE);
    expect(starts(sim).map((one) => one.slice(0, 11))).toEqual(['06-01T12:10', '06-01T12:20', '06-01T12:30']);
    expect(sim.deeds('job')).toContain(`${10 * MINUTE + 10 * MINUTE + 1} signal SIGTERM main`);
    expect(scheduleOf(sim)?.counts).toEqual({ completed: 0, failed: 0, skipped: 0, missed: 0 });
  });

  test('during a pause before a restart is skipped too', () => {
    const given = { restart: restart('on-failure', { backoff: { initial: 100_000, max: 100_000, factor: 1 } }) };
    const sim = simulate(plan([job(cron('* * * * *'), given)]), { job: failing }, { wall: NOON }).until(2.4 * MINUTE);
    expect(starts(sim)).toEqual(['06-01T12:01:00']);
    expect(scheduleOf(sim)?.counts.skipped).toBe(1);
    expect(sim.said('time-skipped')).toEqual([
      'is not run this time: it is already waiting for its restart (`overlap`)',
    ]);
  });

  test.each(['skip', 'queue', 'kill'] as const)('while it waits for a dependency is skipped too (%s)', (overlap) => {
    const services = [task('db'), job(cron('* * * * *', { overlap }), { edges: [on('db', 'completed')] })];
    const sim = simulate(plan(services), { db: slow }, { wall: NOON }).until(2.4 * MINUTE);
    expect(starts(sim)).toEqual([]);
    expect(sim.said('time-skipped')).toEqual(['is not run this time: it is already waiting for its start']);
  });
});

describe('a wall clock that is set', () => {
  test('forward by hours: times between are missed, and catch_up makes up for them once', () => {
    const jump = (catchUp: boolean) => {
      const sim = alone(cron('0 * * * *', { catchUp }), quick);
      sim.at(30 * MINUTE, () => {
        sim.wallAtZero += 5 * HOUR;
      });
      return sim.until(32 * MINUTE);
    };
    expect(scheduleOf(jump(false))?.counts).toMatchObject({ completed: 0, missed: 1 });
    expect(jump(false).said('time-missed')).toHaveLength(1);
    expect(scheduleOf(jump(true))?.counts).toMatchObject({ completed: 1, missed: 0 });
    expect(scheduleOf(jump(true))?.next?.at).toBe(at('2026-06-01T18:00:00Z'));
  });

  test('forward by a minute: the time runs late, not never', () => {
    const sim = alone(cron('0 13 * * *'), quick);
    sim.at(59.5 * MINUTE, () => {
      sim.wallAtZero += MINUTE;
    });
    expect(scheduleOf(sim.until(61 * MINUTE))?.counts.completed).toBe(1);
  });

  test('back by an hour: what has run does not run again', () => {
    const sim = alone(cron('0 * * * *'), quick);
    sim.at(70 * MINUTE, () => {
      sim.wallAtZero -= HOUR;
    });
    sim.until(70 * MINUTE + 1.5 * HOUR);
    expect(scheduleOf(sim)?.counts.completed).toBe(1);
    sim.pass(HOUR);
    expect(scheduleOf(sim)?.counts.completed).toBe(2);
  });

  test('back by a year: the times are found anew', () => {
    const sim = alone(cron('0 * * * *'), quick);
    sim.at(30 * MINUTE, () => {
      sim.wallAtZero = at('2025-06-01T11:30:00Z');
    });
    expect(scheduleOf(sim.until(1.6 * HOUR))?.counts.completed).toBe(1);
  });
});

describe('summer time', () => {
  const BERLIN = { timeZone: 'Europe/Berlin' };

  test('begins: a time that does not exist runs after the gap, a time every half hour runs on', () => {
    const wall = at('2026-03-28T23:50:00Z');
    expect(starts(alone(cron('30 2 * * *', BERLIN), quick, wall).until(30 * HOUR))).toEqual([
      '03-29T01:00:00',
      '03-30T00:30:00',
    ]);
    expect(starts(alone(cron('*/30 * * * *', BERLIN), quick, wall).until(2 * HOUR))).toHaveLength(4);
  });

  test('ends: a time that exists twice runs once, a time every half hour runs on', () => {
    const wall = at('2026-10-24T23:50:00Z');
    expect(starts(alone(cron('30 2 * * *', BERLIN), quick, wall).until(30 * HOUR))).toEqual([
      '10-25T00:30:00',
      '10-26T01:30:00',
    ]);
    expect(starts(alone(cron('*/30 * * * *', BERLIN), quick, wall).until(2 * HOUR))).toHaveLength(4);
  });
});

describe('beside others', () => {
  test('a service that depends on it waits for its first success only', () => {
    const web = service('web', { edges: [on('job', 'completed')] });
    const sim = simulate(plan([job(every(MINUTE)), web]), (name, run) =>
      name === 'web' ? {} : run === 1 ? failing : quick,
    );
    expect(sim.until(30_000).state('web')).toBe('pending');
    expect(sim.until(1.5 * MINUTE).state('web')).toBe('ready');
    expect(sim.until(5 * MINUTE).service('web').run).toBe(1);
  });

  test('its time waits for what it depends on', () => {
    const db = service('db', { ready: [] });
    const sim = simulate(
      plan([db, job(cron('* * * * *'), { edges: [on('db', 'ready')] })]),
      { job: quick },
      { wall: NOON },
    );
    sim.operate('stop', 'db').until(2.5 * MINUTE);
    expect(starts(sim)).toEqual([]);
    expect(sim.state('job')).toBe('pending');
    sim.operate('start', 'db').pass(seconds(5));
    expect(starts(sim)).toHaveLength(1);
  });

  test('everything is ready without a run of it; a shutdown ends its wait at once, and its run', () => {
    const both = plan([service('a'), service('b'), job(cron('0 * * * *'))]);
    const sim = simulate(both, { job: slow }, { wall: NOON }).until(MINUTE);
    expect(sim.said('all-ready')).toHaveLength(1);
    expect(sim.stop().pass(seconds(1)).code).toBe(0);
    const running = simulate(both, { job: slow }, { wall: NOON }).until(70 * MINUTE);
    expect(running.state('job')).toBe('ready');
    expect(running.stop().pass(seconds(1)).code).toBe(0);
  });

  test('it ends nothing with exit: first, and nothing ends while it is there with exit: all', () => {
    const once = { ends: { after: 1_000, exit: withCode(0) } };
    const both = [service('a', { essential: false }), job(every(MINUTE))];
    for (const exit of ['first', 'all'] as const) {
      const sim = simulate(plan(both, { exit }), { a: once, job: quick }).until(HOUR + seconds(30));
      expect([exit, sim.code, sim.state('job')]).toEqual([exit, null, 'scheduled']);
    }
  });
});

describe('the operator', () => {
  test('starts it now, and the schedule goes on', () => {
    const sim = alone(cron('0 * * * *'), quick)
      .until(MINUTE)
      .operate('start', 'job')
      .until(1.1 * HOUR);
    expect(starts(sim)).toEqual(['06-01T12:01:00', '06-01T13:00:00']);
  });

  test('stops it: no time comes until it is started, which runs it', () => {
    const sim = alone(cron('*/10 * * * *'), quick)
      .until(MINUTE)
      .operate('stop', 'job')
      .until(HOUR - MINUTE);
    expect([starts(sim), sim.state('job'), scheduleOf(sim)?.next]).toEqual([[], 'stopped', null]);
    sim.operate('start', 'job').until(1.05 * HOUR);
    expect(starts(sim)).toEqual(['06-01T12:59:00', '06-01T13:00:00']);
    expect(sim.said('time-missed')).toEqual([]);
  });
});

describe('a reload', () => {
  test('with another schedule finds the times anew, and leaves a run alone', () => {
    const sim = alone(cron('0 * * * *'), slow).until(70 * MINUTE);
    sim.reload(plan([job(cron('*/20 * * * *'))])).until(125 * MINUTE);
    expect(starts(sim)).toEqual(['06-01T13:00:00', '06-01T13:40:00']);
  });

  test('adds a schedule to a task that has completed, and removes one', () => {
    const both = (schedule: ServicePlan['schedule']) =>
      plan([service('a'), job(schedule), task('tick', { schedule: every(HOUR), essential: false })]);
    const sim = simulate(both(null), { job: quick, tick: quick }, { wall: NOON }).until(MINUTE);
    expect(sim.state('job')).toBe('completed');
    sim.reload(both(cron('*/10 * * * *'))).until(15 * MINUTE);
    expect([sim.state('job'), sim.service('job').run]).toEqual(['scheduled', 2]);
    sim.reload(both(null)).until(HOUR);
    expect([sim.state('job'), sim.service('job').run]).toEqual(['completed', 3]);
  });

  test('with another command runs by the schedule, not at once', () => {
    const sim = alone(cron('0 * * * *'), quick).until(MINUTE);
    sim.reload(plan([job(cron('0 * * * *'), { argv: ['/bin/other'] })])).until(61 * MINUTE);
    expect(starts(sim)).toEqual(['06-01T13:00:00']);
  });
});

describe('a successor of the supervisor', () => {
  test('reads the clock again, and catch_up decides about the times without a supervisor', () => {
    for (const catchUp of [false, true]) {
      const sim = alone(cron('0 13 * * *', { catchUp }), quick).until(30 * MINUTE);
      // Until here the deadlines are due; none is delivered while no supervisor runs.
      sim.now = 1.5 * HOUR;
      sim.deliver({ type: 'taken-over', by: HOUR }).until(1.6 * HOUR);
      expect([catchUp, starts(sim).length, scheduleOf(sim)?.counts.missed]).toEqual([catchUp, +catchUp, +!catchUp]);
    }
  });

  test('comes to what one supervisor comes to, wherever it takes over', () => {
    const all = plan([
      job(cron('*/2 * * * *', { overlap: 'queue', jitter: 30_000 })),
      task('other', { schedule: every(70_000, { overlap: 'kill' }), essential: false }),
    ]);
    const play = (diesAfter: number) =>
      starts(
        simulate(
          all,
          { job: { ends: { after: 3 * MINUTE, exit: withCode(1) } }, other: slow },
          { wall: NOON, renews: true, diesAfter },
        ).until(15 * MINUTE),
      );
    const whole = play(0);
    expect(whole.length).toBeGreaterThan(3);
    for (let died = 1; died < 40; died += 3) expect(play(died)).toEqual(whole);
  });
});
