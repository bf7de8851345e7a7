// What the confirmation of `top` and the dashboard says about other services: the table of docs/operations.md, "What stop, start and
// restart do to dependents"; and that it is what the core does, for random services in random states.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type Consequences,
  consequencesOf,
  type DependencyEdge,
  edgesOf,
  explainConsequences,
  type OperatedService,
} from '../../src/control/consequences.ts';
import { toWireSnapshot, type WireGraphNode } from '../../src/control/wire.ts';
import type { Operation } from '../../src/core/event.ts';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import type { Edge, ServicePlan } from '../../src/plan/plan.ts';
import { plan, restart, service, task, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const need = (on: string, more: Partial<WireGraphNode['needs'][number]> = {}): WireGraphNode['needs'][number] => ({
  ...{ on, condition: 'ready', origin: 'declared' },
  ...more,
});
const GRAPH = [
  { name: 'db', needs: [] },
  { name: 'api', needs: [need('db')] },
  { name: 'page', needs: [need('db', { restarts: true })] },
  { name: 'proxy', needs: [need('page', { restarts: true })] },
  { name: 'later', needs: [need('db', { origin: 'stage' })] },
];

/** A service in this state that has run, unless the state is one before the first run. */
function inState(name: string, state: OperatedService['state']): OperatedService {
  const run = state === 'pending' || state === 'idle' || state === 'skipped' ? 0 : 1;
  const wanted = state === 'stopped' || state === 'idle' || state === 'skipped' ? 'down' : 'up';
  return { name, type: 'service', state, wanted, run, ready_after_seconds: run === 0 ? null : 1, schedule: null };
}

type States = Readonly<Record<string, OperatedService['state']>>;
type Nodes = readonly Pick<WireGraphNode, 'name' | 'needs'>[];

function ask(operation: Operation, names: readonly string[], states: States = {}, graph: Nodes = GRAPH): Consequences {
  const services = graph.map(({ name }) => inState(name, states[name] ?? 'ready'));
  return consequencesOf(operation, names, edgesOf(graph), services);
}

const NONE: Consequences = { restart: [], start: [], runOn: [], wait: [] };

describe('the services that an operation affects', () => {
  test('stop: dependents continue to run, or wait if they have not started; a stage is no dependency', () => {
    expect(ask('stop', ['db'], { page: 'pending' })).toEqual({ ...NONE, runOn: ['api'], wait: ['page'] });
    expect(ask('stop', ['db'], { api: 'stopped', page: 'idle' })).toEqual(NONE);
    expect(ask('stop', ['db', 'page'])).toEqual({ ...NONE, runOn: ['api', 'proxy'] });
  });

  test('restart: those with `restart: true` restart too, also through others that restart', () => {
    expect(ask('restart', ['db'])).toEqual({ ...NONE, restart: ['page', 'proxy'], runOn: ['api'] });
    expect(ask('restart', ['db'], { proxy: 'stopped' }).restart).toEqual(['page']);
    expect(ask('restart', ['db'], { page: 'stopped' }).restart).toEqual([]);
    expect(ask('restart', ['db'], { proxy: 'failed' }).restart).toEqual(['page', 'proxy']);
  });

  test('start: what it needs and does not run starts too; a start of a service that has run is a restart of it', () => {
    expect(ask('start', ['api'], { api: 'stopped', db: 'idle' }).start).toEqual(['db']);
    expect(ask('start', ['api'], { api: 'stopped', db: 'completed' }).start).toEqual([]);
    expect(ask('start', ['db'], { db: 'stopped' })).toEqual({ ...NONE, restart: ['page', 'proxy'] });
    expect(ask('start', ['db'])).toEqual(NONE);
  });

  test('a task: services that only waited for its end do not need it any more', () => {
    const graph = [
      { name: 'job', needs: [] },
      { name: 'web', needs: [need('job', { condition: 'completed' })] },
    ];
    expect(ask('restart', ['job'], { job: 'completed' }, graph)).toEqual(NONE);
    expect(ask('restart', ['job'], { job: 'completed', web: 'pending' }, graph)).toEqual({ ...NONE, wait: ['web'] });
  });

  test('of replicas of which one suffices, none is started while one runs', () => {
    const any = { of: 'db', least: 1 };
    const graph = [
      { name: 'db-1', needs: [] },
      { name: 'db-2', needs: [] },
      { name: 'api', needs: [need('db-1', { any }), need('db-2', { any })] },
    ];
    expect(ask('start', ['api'], { 'db-2': 'stopped', api: 'stopped' }, graph).start).toEqual([]);
    expect(ask('start', ['api'], { 'db-1': 'stopped', 'db-2': 'stopped', api: 'stopped' }, graph).start).toHaveLength(
      2,
    );
  });
});

describe('the sentences', () => {
  const explain = (operation: Operation, names: readonly string[], states: States = {}) =>
    explainConsequences(operation, names, ask(operation, names, states));

  test('name every service that is affected, and what happens to it', () => {
    expect(explain('restart', ['db'], { api: 'pending' })).toEqual([
      'db stops and starts again.',
      'page and proxy restart together with it (`restart: true`).',
      'api waits for it and will not start before the restart is over.',
    ]);
    expect(explain('stop', ['db'])).toEqual([
      'db stops, and stays stopped until it is started.',
      'api and page need it and keep running: without it, requests may fail.',
      'The container keeps running.',
    ]);
    expect(explain('start', ['api'], { api: 'idle', db: 'idle' })).toEqual([
      'api starts.',
      'db starts too, because it is needed.',
    ]);
  });

  test('of a group, and of one on which nothing depends', () => {
    expect(explain('stop', ['db', 'api'])).toEqual([
      '2 services (db and api) stop, and stay stopped until they are started.',
      'page needs them and keeps running: without them, requests may fail.',
      'The container keeps running.',
    ]);
    expect(explain('stop', ['proxy'])[1]).toBe('No running service needs it.');
  });
});

/** Services `s0` to `s4`, each of which may wait for earlier ones; the task ends soon. */
const plans = fc
  .array(
    fc.record({
      kind: fc.constantFrom('service', 'service', 'task', 'fails', 'retries'),
      start: fc.constantFrom('auto', 'manual'),
      waits: fc.array(
        fc.record({
          back: fc.integer({ min: 1, max: 2 }),
          condition: fc.constantFrom('started', 'ready', 'ready', 'completed', 'exited'),
          restarts: fc.constantFrom(true, true, false),
        }),
        { maxLength: 2 },
      ),
    }),
    { minLength: 3, maxLength: 5 },
  )
  .map((all) =>
    all.map(({ kind, start, waits }, index): readonly [string, ServicePlan] => {
      const edges = new Map<string, Edge>();
      for (const { back, condition, restarts } of waits) {
        const on = `s${index - back}`;
        if (index >= back) edges.set(on, { on, condition, origin: 'declared', ...(restarts && { restarts }) });
      }
      const given = { start, essential: false, edges: [...edges.values()] } as const;
      const more = kind === 'retries' ? { ...given, restart: restart('always', { initial: 200 }) } : given;
      return [kind, kind === 'task' ? task(`s${index}`, given) : service(`s${index}`, more)];
    }),
  );
const operations = fc.array(
  fc.record({
    operation: fc.constantFrom('start', 'stop', 'restart'),
    of: fc.nat(4),
    pause: fc.constantFrom(0, 1, 500),
  }),
  { minLength: 1, maxLength: 8 },
);

test('they are what the core does when it is asked', () => {
  fc.assert(
    fc.property(plans, operations, (given, steps) => {
      const kinds = new Map(given.map(([kind, { name }]) => [name, kind]));
      const services = [service('stays'), ...given.map(([, one]) => one)];
      const edges: DependencyEdge[] = services.flatMap(({ name, edges: own }) =>
        own.map((edge) => ({ name, ...edge })),
      );
      const sim = simulate(plan(services, { exit: 'all' }), (name) => {
        const kind = kinds.get(name);
        if (kind === 'task') return { ends: { after: 50, exit: withCode(0) }, stopTakes: 20 };
        return kind === 'fails' || kind === 'retries'
          ? { ends: { after: 80, exit: withCode(1) }, stopTakes: 20 }
          : { stopTakes: 20 };
      }).until(300);
      for (const { operation, of, pause } of steps) {
        const name = `s${of % given.length}`;
        const known = toWireSnapshot(takeSnapshot(sim.world, sim.now), 0).services;
        const told = consequencesOf(operation, [name], edges, known);
        const before = sim.records.length;
        sim.operate(operation, name);
        const done = (event: string, by: string) =>
          sim.records
            .slice(before)
            .flatMap(({ at, effect }) =>
              at === sim.now &&
              effect.type === 'announce' &&
              effect.notice.event === event &&
              'by' in effect.notice &&
              effect.notice.by.kind === by
                ? [effect.service ?? '']
                : [],
            );
        const restarted = done('restart-asked', 'dependency').filter((one) => one !== name);
        const started = done('start-asked', 'dependent').filter((one) => !restarted.includes(one));
        expect([name, operation, [...told.restart].sort(), [...told.start].sort()]).toEqual([
          ...[name, operation],
          ...[[...new Set(restarted)].sort(), started.sort()],
        ]);
        sim.pass(pause);
      }
    }),
    { numRuns: 400 },
  );
});
