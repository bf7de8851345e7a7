// What the confirmation says about other services: the table of docs/operations.md, "What stop, start and restart do to dependents".
import { expect, test } from 'bun:test';
import { consequencesOf, explainConsequences as sentences } from '../../../src/cli/top/consequences.ts';
import type { GraphNode, OperationName } from '../../../src/cli/top/model.ts';

const need = (on: string, more: Partial<GraphNode['needs'][number]> = {}): GraphNode['needs'][number] => ({
  on,
  condition: 'ready',
  origin: 'declared',
  ...more,
});
const GRAPH: readonly GraphNode[] = [
  { name: 'db', needs: [] },
  { name: 'api', needs: [need('db')] },
  { name: 'page', needs: [need('db', { restarts: true })] },
  { name: 'proxy', needs: [need('page', { restarts: true })] },
  { name: 'later', needs: [need('db', { origin: 'stage' })] },
];

function ask(operation: OperationName, service: string, states: Readonly<Record<string, string>> = {}) {
  const services = GRAPH.map(({ name }) => ({ name, state: (states[name] ?? 'ready') as 'ready' }));
  return consequencesOf(operation, service, GRAPH, services);
}

test('stop: dependents continue to run, or wait if they have not started; a stage is no dependency', () => {
  expect(ask('stop', 'db', { page: 'pending' })).toEqual({ restart: [], start: [], runOn: ['api'], wait: ['page'] });
});

test('restart: those with `restart: true` restart too, also through others', () => {
  expect(ask('restart', 'db')).toEqual({ restart: ['page', 'proxy'], start: [], runOn: ['api'], wait: [] });
  expect(ask('restart', 'db', { proxy: 'stopped' }).restart).toEqual(['page']);
  expect(ask('restart', 'db', { page: 'pending', api: 'failed' })).toMatchObject({ runOn: [], wait: ['page'] });
});

test('start: what it needs and does not run starts too; a completed task is not started again', () => {
  expect(ask('start', 'api', { api: 'stopped', db: 'stopped' }).start).toEqual(['db']);
  expect(ask('start', 'api', { api: 'stopped', db: 'completed' }).start).toEqual([]);
});

test('of replicas of which one suffices, none is started while one runs', () => {
  const any = { of: 'db', least: 1 };
  const graph = [
    { name: 'db-1', needs: [] },
    { name: 'db-2', needs: [] },
    { name: 'api', needs: [need('db-1', { any }), need('db-2', { any })] },
  ];
  const services = [
    { name: 'db-1', state: 'ready' as const },
    { name: 'db-2', state: 'stopped' as const },
    { name: 'api', state: 'stopped' as const },
  ];
  expect(consequencesOf('start', 'api', graph, services).start).toEqual([]);
});

test('the sentences name every service that is affected', () => {
  expect(sentences('restart', 'db', ask('restart', 'db'))).toEqual([
    'db stops and starts again.',
    'page, proxy restart with db.',
    'api depends on db and continues to run.',
  ]);
  expect(sentences('stop', 'proxy', ask('stop', 'proxy')).at(-1)).toBe('No running service depends on proxy.');
});
