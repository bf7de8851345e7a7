// Graphs, selections and differences of plans, as functions over data.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { difference, FIELD_NAMES } from '../../src/plan/difference.ts';
import { cycles, dependents, renderCycle, startOrder, type Vertex } from '../../src/plan/graph.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { selectServices } from '../../src/plan/selection.ts';
import { allEdges } from '../../src/plan/stages.ts';
import { load, messages, planOf } from '../config/rig.ts';
import { processorTime } from '../helpers/processor.ts';

/** `{a: 'bc'}`: a waits for b and c. */
function graph(edges: Readonly<Record<string, string>>): readonly Vertex[] {
  return Object.entries(edges).map(([name, on]) => ({ name, edges: [...on].map((target) => ({ on: target })) }));
}
const order = (edges: Readonly<Record<string, string>>): string => startOrder({ services: graph(edges) }).join('');

describe('cycles', () => {
  test('do not exist in a tree, a diamond and an empty graph', () => {
    expect(cycles([])).toEqual([]);
    expect(cycles(graph({ a: 'bc', b: 'd', c: 'd', d: '' }))).toEqual([]);
  });

  test('are found once each, starting with their first service', () => {
    expect(cycles(graph({ x: 'a', c: 'a', a: 'b', b: 'c', d: 'e', e: 'd', f: 'f' }))).toEqual([
      ['c', 'a', 'b'],
      ['d', 'e'],
      ['f'],
    ]);
  });

  test('are as short as the first service allows', () => {
    expect(cycles(graph({ a: 'bd', b: 'c', c: 'a', d: 'a' }))).toEqual([['a', 'd']]);
  });

  test('ignore edges to unknown names', () => {
    expect(cycles(graph({ a: 'z' }))).toEqual([]);
  });

  test('of a hundred thousand services are found without a deep stack', () => {
    const length = 100_000;
    const ring = Array.from({ length }, (_, at) => ({ name: `s${at}`, edges: [{ on: `s${(at + 1) % length}` }] }));
    // A quadratic algorithm would take minutes and exceed the test's time limit on any machine.
    expect(cycles(ring)[0]?.length).toBe(length);
  }, 60_000);

  test('are closed walks, and the rest can be ordered', () => {
    const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 14 });
    fc.assert(
      fc.property(edges, (pairs) => {
        const services = Array.from({ length: 8 }, (_, at) => ({
          name: `s${at}`,
          edges: pairs.filter(([from]) => from === at).map(([, to]) => ({ on: `s${to}` })),
        }));
        const found = cycles(services);
        for (const cycle of found) {
          cycle.forEach((name, at) => {
            const next = cycle[(at + 1) % cycle.length];
            expect(services.find((service) => service.name === name)?.edges.some(({ on }) => on === next)).toBe(true);
          });
          expect(new Set(cycle).size).toBe(cycle.length);
        }
        const sorted = startOrder({ services });
        expect([...sorted].sort()).toEqual(services.map(({ name }) => name));
        const kept = services.flatMap(({ name, edges: own }) => own.map(({ on }) => [name, on] as const));
        const inOrder = kept.every(([name, on]) => sorted.indexOf(on) < sorted.indexOf(name));
        expect(inOrder).toBe(found.length === 0);
      }),
    );
  });

  test('as text keep their ends', () => {
    expect(renderCycle(['a'])).toBe('a -> a');
    expect(renderCycle([...'abcdefghijkl'])).toBe('a -> b -> c -> d -> … (5 more) -> j -> k -> l -> a');
  });
});

describe('the start order', () => {
  test('puts each service after its dependencies, and otherwise keeps the order of the file', () => {
    expect(order({ a: 'd', b: '', c: 'b', d: '', e: 'a' })).toBe('dabce');
    expect(order({})).toBe('');
  });

  test('cuts a cycle at its first service', () => {
    expect(order({ a: 'b', b: 'a', c: 'c' })).toBe('bac');
  });

  test('counts a duplicate edge once', () => {
    expect(order({ a: 'bb', b: '' })).toBe('ba');
    expect(dependents({ services: graph({ a: 'bb', b: '' }) }).get('b')).toEqual(['a']);
  });
});

const PLAN = `
groups: [one, two, three]
services:
  db: { command: run, group: one }
  cache: { command: run, group: one }
  migrate: { command: run, type: task, depends_on: [db] }
  api: { command: run, group: two, depends_on: [migrate] }
  web: { command: run, group: three, depends_on: { api: started } }
  off: { command: run, enabled: false }
`;
const shown = (plan: Plan): readonly string[] =>
  plan.services.map(
    (one) =>
      `${one.name}: ${allEdges(one)
        .map(({ on, condition }) => `${on} ${condition}`)
        .join(', ')}`,
  );

describe('a selection', () => {
  const plan = planOf(PLAN);
  const select = (...names: readonly string[]): readonly string[] => {
    const selected = selectServices(plan, names);
    return selected.ok ? shown(selected.value) : selected.error.map(({ name, suggestion }) => `${name}? ${suggestion}`);
  };

  test('includes dependencies, and computes the stages again', () => {
    expect(select('api')).toEqual(['db: ', 'migrate: db started', 'api: migrate completed, db ready']);
    expect(select('web')).toEqual([
      'db: ',
      'migrate: db started',
      'api: migrate completed, db ready',
      'web: api started, api ready',
    ]);
    expect(select('cache')).toEqual(['cache: ']);
  });

  test('of services of distant stages orders them directly', () => {
    const text =
      'groups: [a, b, c]\nservices:\n  x: { command: run, group: a }\n  y: { command: run, group: b }\n  z: { command: run, group: c }\n';
    const selected = selectServices(planOf(text), ['x', 'z']);
    expect(selected.ok && shown(selected.value)).toEqual(['x: ', 'z: x ready']);
  });

  test('of an unknown name suggests a similar one', () => {
    expect(select('wbe', 'db', 'nothing-like-it')).toEqual(['wbe? web', 'nothing-like-it? null']);
  });

  test('does not change the original plan', () => {
    const before = JSON.stringify(plan);
    select('web');
    expect(JSON.stringify(plan)).toBe(before);
  });

  test('is made while loading, where an unknown name is a diagnostic', () => {
    expect(planOf(PLAN, { names: ['cache'] }).services.map(({ name }) => name)).toEqual(['cache']);
    expect(messages(PLAN, { names: ['cahce'] })).toEqual(['there is no service `cahce`']);
    expect(messages(PLAN, { names: ['off'] })).toEqual([
      'no service is enabled: there is nothing to run',
      '`off` is not enabled and will not start',
    ]);
    expect(load(PLAN, { names: ['off', 'db'] }).ok).toBe(true);
  });
});

describe('a difference', () => {
  test('of a plan with itself is empty', () => {
    const { added, removed, changed, unchanged } = difference(planOf(PLAN), planOf(PLAN));
    expect([added, removed, changed]).toEqual([[], [], []]);
    expect(unchanged.length).toBe(6);
  });

  test('lists added, removed and changed services with their fields', () => {
    const after = PLAN.replace('  cache:', '  queue:')
      .replace('db: { command: run', 'db: { command: other, env: { A: b }')
      .replace('api: started', 'api: ready');
    expect(difference(planOf(PLAN), planOf(after))).toEqual({
      added: ['queue'],
      removed: ['cache'],
      changed: [
        { name: 'db', fields: ['argv', 'env'] },
        { name: 'api', fields: ['edges'] },
        { name: 'web', fields: ['edges'] },
      ],
      unchanged: ['migrate', 'off'],
    });
  });

  test('ignores the order of services and of variables', () => {
    const one = 'services:\n  a: { command: run, env: { A: 1, B: 2 } }\n  b: { command: run }\n';
    const other = 'services:\n  b: { command: run }\n  a: { command: run, env: { B: 2, A: 1 } }\n';
    expect(difference(planOf(one), planOf(other)).changed).toEqual([]);
  });

  test('has a name for every field of a service', () => {
    const [service] = planOf(PLAN).services;
    expect(Object.keys(FIELD_NAMES).sort()).toEqual(
      [...Object.keys(service ?? {}), 'envRecipe', ...Object.keys(service?.attributes ?? {})]
        .filter((key) => key !== 'name' && key !== 'stageEdges' && key !== 'attributes')
        .sort(),
    );
  });
});

test('shared lists are visited once: two stages of 2,000 are ordered, and a cycle through them is found', () => {
  const names = Array.from({ length: 2_000 }, (_, at) => `a${at}`);
  const stage = names.map((name) => ({ on: name }));
  const first = names.map((name) => ({ name, edges: [] as { on: string }[] }));
  const second = names.map((name) => ({ name: `b${name}`, edges: [], stageEdges: stage }));
  const start = processorTime();
  expect(startOrder({ services: [...second, ...first] })).toEqual([...names, ...second.map(({ name }) => name)]);
  expect(cycles([...first, ...second])).toEqual([]);
  const knotted = first.map((one) => (one.name === 'a7' ? { ...one, edges: [{ on: 'ba3' }] } : one));
  expect(cycles([...knotted, ...second])).toEqual([['a7', 'ba3']]);
  expect(processorTime() - start).toBeLessThan(3_000);
});
