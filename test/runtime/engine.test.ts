// The engine with a clock that the test controls: the order of events, one timer for the earliest deadline, effects that are
// carried out before send() returns; and the check of an HTTP response's body.
import { describe, expect, test } from 'bun:test';
import type { Effect, Event, ServiceEffect } from '../../src/core/event.ts';
import { newWorld } from '../../src/core/world.ts';
import type { Clock } from '../../src/ports.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { judgeBody } from '../../src/runtime/probe-http.ts';
import { logLine, plan as makePlan, service as makeService } from '../helpers/plans.ts';

class HandClock implements Clock {
  time = 0;
  timers: { at: number; fn: () => void }[] = [];
  now = (): number => this.time;
  wall = (): number => this.time;
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.time + ms, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }
  soon(fn: () => void): void {
    this.after(0, fn);
  }
  /** Runs one turn of the event loop; the clock does not advance. */
  turn(): void {
    this.turnTo(this.time);
  }
  turnTo(time: number): void {
    this.time = time;
    for (const timer of this.timers.filter(({ at }) => at <= time)) {
      this.timers = this.timers.filter((other) => other !== timer);
      timer.fn();
    }
  }
}

/** `takes`: the time that each effect takes. */
function rig(plan: Parameters<typeof makePlan>[0], takes = 0) {
  const clock = new HandClock();
  const performed: { service: string; run: number; effect: ServiceEffect }[] = [];
  const announced: Effect[] = [];
  const ends: Effect[] = [];
  const postponed: string[] = [];
  let send: (event: Event) => void = () => undefined;
  const engine: Engine = new Engine(newWorld(makePlan(plan), 1), {
    clock,
    announce: (announcement) => announced.push(announcement),
    end: (effect) => ends.push(effect),
    reload: () => undefined,
    readClock: () => undefined,
    signOfLife: () => undefined,
    changed: () => undefined,
    postponed: (service) => postponed.push(`${service} ${engine.postponedOf(service).length}`),
    broken: (_, error) => {
      throw error;
    },
    isDropped: null,
    trace: null,
    executor: (given) => {
      send = given;
      return {
        perform: ({ name }, run, effect) => {
          clock.time += takes;
          performed.push({ service: name, run, effect });
        },
      };
    },
  });
  const news = (service: string, run: number, event: (Event & { type: 'service' })['event']) =>
    send({ type: 'service', service, run, event: event });
  return { clock, engine, performed, announced, ends, postponed, news };
}

describe('the engine', () => {
  test('carries out the effects of an event before send() returns', () => {
    const { engine, performed } = rig([makeService('a'), makeService('b')]);
    engine.send({ type: 'began' });
    expect(performed.map(({ service, effect }) => `${service} ${effect.type}`)).toEqual(['a spawn', 'b spawn']);
  });

  test('arms one timer for the earliest deadline and one for the absence detector, and none without a deadline', () => {
    const { engine, clock, news } = rig([makeService('a'), makeService('b')]);
    engine.send({ type: 'began' });
    clock.turn();
    expect(clock.timers.length).toBe(2);
    news('a', 1, { type: 'spawned', pid: 2 });
    news('b', 1, { type: 'spawned', pid: 3 });
    clock.turn();
    expect(clock.timers).toEqual([]);
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    clock.turn();
    expect(clock.timers.length).toBe(2);
  });

  test('spreads many spawns over several turns, so that other events are handled in between', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { engine, clock, performed } = rig(
      names.map((name) => makeService(name)),
      4,
    );
    const spawned = () => performed.filter(({ effect }) => effect.type === 'spawn').map(({ service }) => service);
    engine.send({ type: 'began' });
    expect(spawned()).toEqual(['a', 'b']);
    clock.turn();
    expect(spawned()).toEqual(['a', 'b', 'c', 'd']);
    clock.turn();
    expect(spawned()).toEqual(names);
    const soon = clock.timers.filter(({ at }) => at <= clock.time);
    expect(soon).toEqual([]);
  });

  test('carries out the effects on a service after its postponed spawn', () => {
    const { engine, clock, performed } = rig([makeService('a'), makeService('b')], 30);
    engine.send({ type: 'began' });
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    const done = () => performed.map(({ service, effect }) => `${service} ${effect.type}`);
    expect(done().filter((text) => text.startsWith('b'))).toEqual([]);
    for (let turn = 0; turn < 5; turn += 1) clock.turn();
    expect(done().filter((text) => text.startsWith('b'))).toEqual(['b spawn', 'b abandon-probe', 'b signal']);
  });

  test('spawns nothing after the end', () => {
    const { engine, clock, performed, postponed } = rig([makeService('a'), makeService('b')], 30);
    engine.send({ type: 'began' });
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    clock.time += 1_000;
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    clock.time += 600;
    engine.send({ type: 'deadline-passed' });
    for (let turn = 0; turn < 5; turn += 1) clock.turn();
    expect(performed.filter(({ service }) => service === 'b')).toEqual([]);
    // The checkpoint must not keep them for a successor either.
    expect(postponed.at(-1)).toBe('b 0');
  });

  test('handles due deadlines when the timer fires, and ends once', () => {
    const { engine, clock, news, performed, ends } = rig([makeService('a')]);
    engine.send({ type: 'began' });
    news('a', 1, { type: 'spawned', pid: 2 });
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    for (let second = 1; second <= 9; second += 1) clock.turnTo(second * 1_000);
    expect(performed.at(-1)).toEqual({ service: 'a', run: 1, effect: { type: 'kill' } });
    news('a', 1, { type: 'exited', exit: { kind: 'signal', signal: 'SIGKILL', number: 9 } });
    news('a', 1, { type: 'emptied', leftovers: [] });
    expect(ends).toEqual([{ type: 'end', code: 137, culprit: null }]);
    clock.turn();
    expect(clock.timers).toEqual([]);
  });
});

describe('after an absence', () => {
  const late = { ready: [logLine('UP')], startTimeout: 12_000 };

  test('deadlines move by the duration of the absence', () => {
    const { engine, clock, news, performed } = rig([makeService('a', late)]);
    engine.send({ type: 'began' });
    news('a', 1, { type: 'spawned', pid: 2 });
    for (let second = 1; second <= 3; second += 1) clock.turnTo(second * 1_000);
    // The container was frozen for 15 seconds: the service has used 3 of its 12 seconds.
    clock.turnTo(18_000);
    clock.turn();
    news('a', 1, { type: 'latched', index: 0 });
    expect(engine.world.services.get('a')?.state.id).toBe('ready');
    expect(performed.map(({ effect }) => effect.type)).toEqual(['spawn']);
  });

  test('an exit during the absence counts, and not the deadline, whichever is handled first', () => {
    const { engine, clock, news, ends } = rig([makeService('a', late)]);
    engine.send({ type: 'began' });
    news('a', 1, { type: 'spawned', pid: 2 });
    clock.turnTo(1_000);
    clock.time = 60_000;
    news('a', 1, { type: 'exited', exit: { kind: 'code', code: 5 } });
    news('a', 1, { type: 'emptied', leftovers: [] });
    expect(ends).toMatchObject([{ type: 'end', code: 5 }]);
  });

  test('a stop has its whole grace period', () => {
    const { engine, clock, news, performed, ends } = rig([makeService('a')]);
    engine.send({ type: 'began' });
    news('a', 1, { type: 'spawned', pid: 2 });
    engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
    for (let second = 1; second <= 5; second += 1) clock.turnTo(second * 1_000);
    clock.turnTo(30_000);
    for (let second = 31; second <= 33; second += 1) clock.turnTo(second * 1_000);
    expect(performed.some(({ effect }) => effect.type === 'kill')).toBe(false);
    news('a', 1, { type: 'exited', exit: { kind: 'code', code: 0 } });
    news('a', 1, { type: 'emptied', leftovers: [] });
    expect(ends).toMatchObject([{ type: 'end', code: 0 }]);
  });

  test('a busy event loop is not an absence', () => {
    const { engine, clock, news, performed } = rig([makeService('a', late)]);
    engine.send({ type: 'began' });
    news('a', 1, { type: 'spawned', pid: 2 });
    for (let at = 1_500; at <= 13_500; at += 1_500) clock.turnTo(at);
    expect(performed.some(({ effect }) => effect.type === 'signal')).toBe(true);
  });
});

describe('events of one turn', () => {
  const code = (number: number) => ({ type: 'exited', exit: { kind: 'code', code: number } }) as const;
  const killed = { type: 'exited', exit: { kind: 'signal', signal: 'SIGTERM', number: 15 } } as const;
  const emptied = { type: 'emptied', leftovers: [] } as const;
  type Found = (rigged: ReturnType<typeof rig>) => void;
  const stop: Found = ({ engine }) => engine.send({ type: 'stop-asked', signal: 'SIGTERM' });
  const ended =
    (service: string, event: Parameters<ReturnType<typeof rig>['news']>[2]): Found =>
    ({ news }) =>
      news(service, 1, event);

  function outcome(...found: readonly Found[]) {
    const rigged = rig([makeService('a'), makeService('b')]);
    rigged.engine.send({ type: 'began' });
    for (const name of ['a', 'b']) rigged.news(name, 1, { type: 'spawned', pid: 2 });
    rigged.engine.turn(() => {
      for (const one of found) one(rigged);
    });
    for (const name of ['a', 'b']) {
      rigged.news(name, 1, killed);
      rigged.news(name, 1, emptied);
    }
    rigged.clock.turnTo(200);
    return rigged.ends;
  }

  test('an exit by the stop signal is a result of the stop request in the same turn, in any order', () => {
    expect(outcome(stop, ended('a', killed))).toMatchObject([{ code: 0 }]);
    expect(outcome(ended('a', killed), stop)).toMatchObject([{ code: 0 }]);
    expect(outcome(stop, ended('a', code(143)), ended('b', code(0)))).toMatchObject([{ code: 0 }]);
  });

  test('a failure in the same turn as a stop request counts as earlier', () => {
    expect(outcome(stop, ended('a', code(5)))).toMatchObject([{ code: 5 }]);
    expect(outcome(stop, ended('a', killed), ended('b', code(7)))).toMatchObject([{ code: 7 }]);
  });
});

describe("an HTTP response's body", () => {
  const none = { contains: null, matches: null, notMatches: null, json: null };
  const models = JSON.stringify({ data: [{ id: 'R1' }], ok: true, n: { 'a b': null } });

  test('meets the conditions of the probe', () => {
    expect(judgeBody({ ...none, contains: '"R1"' }, 200, models).ok).toBe(true);
    expect(judgeBody({ ...none, matches: 'R\\d' }, 200, models).ok).toBe(true);
    expect(judgeBody({ ...none, notMatches: 'R\\d{2}' }, 200, models).ok).toBe(true);
    for (const json of [
      { path: 'data.0.id', equals: 'R1' },
      { path: 'data.0.id' },
      { path: 'ok', equals: true },
      { path: 'n.a b', equals: null },
      { path: 'data', equals: [{ id: 'R1' }] },
    ]) {
      expect(judgeBody({ ...none, json }, 200, models)).toEqual({ ok: true, detail: 'HTTP 200' });
    }
  });

  test('does not meet a condition, with the reason', () => {
    type Wanted = Parameters<typeof judgeBody>[0];
    const why = (probe: Partial<Wanted>, body = models) => judgeBody({ ...none, ...probe }, 200, body);
    expect(why({ json: { path: 'data.0.id', equals: 'other' } })).toEqual({
      ok: false,
      detail: 'HTTP 200, but data.0.id is "R1", not "other"',
    });
    expect(why({ notMatches: 'R\\d' }).detail).toBe('HTTP 200, but the body matches /R\\d/');
    expect(why({ json: { path: 'data.1.id' } }).detail).toBe('HTTP 200, but the body has no `data.1.id`');
    expect(why({ json: { path: 'ok', equals: 1 } }).ok).toBe(false);
    expect(why({ json: { path: 'constructor' } }).ok).toBe(false);
    expect(why({ json: { path: 'a' } }, '<!doctype html>').detail).toBe('HTTP 200, but the body is not JSON');
  });
});
