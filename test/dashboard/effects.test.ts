// The sentences of the dialog before a stop or restart: what happens to the dependents.
import { expect, test } from 'bun:test';
import { describeEffects, describeNeeds, type GraphEdge } from '../../src/dashboard/effects.ts';

const edge = (name: string, on: string, more: Partial<GraphEdge> = {}): GraphEdge => ({
  ...{ name, on, condition: 'ready', origin: 'declared' },
  ...more,
});
const EDGES = [
  edge('api', 'db'),
  edge('proxy', 'api', { restarts: true }),
  edge('page', 'db', { restarts: true }),
  edge('job', 'db'),
];
const states = (given: Readonly<Record<string, 'ready' | 'pending' | 'stopped'>>) =>
  Object.entries(given).map(([name, state]) => ({ name, state }));
const ALL = states({ db: 'ready', api: 'ready', proxy: 'ready', page: 'ready', job: 'pending' });

test('a stop: who keeps running without it, who waits, and that the container stays', () => {
  expect(describeEffects('stop', ['db'], ALL, EDGES)).toEqual([
    'api and page need it and keep running: without it, requests may fail.',
    'job waits for it and will not start until then.',
    'The container keeps running.',
  ]);
  expect(describeEffects('stop', ['proxy'], ALL, EDGES)).toEqual([
    'No other service depends on it.',
    'The container keeps running.',
  ]);
});

test('a restart: who restarts with it, also through others, and who keeps running', () => {
  expect(describeEffects('restart', ['db'], ALL, [...EDGES, edge('cdn', 'page', { restarts: true })])).toEqual([
    'page and cdn restart together with it (`restart: true`).',
    'api needs it and keeps running: requests may fail until the restart is over.',
    'job waits for it and will not start until then.',
  ]);
});

test('a group: its members, and only dependents outside of it', () => {
  expect(describeEffects('stop', ['db', 'api'], ALL, EDGES)).toEqual([
    '2 services: db and api.',
    'proxy and page need them and keep running: without them, requests may fail.',
    'job waits for them and will not start until then.',
    'The container keeps running.',
  ]);
});

test('a dependent that is stopped is not affected', () => {
  const some = states({ db: 'ready', api: 'stopped' });
  expect(describeEffects('stop', ['db'], some, [edge('api', 'db')])).toEqual([
    'No running service depends on it.',
    'The container keeps running.',
  ]);
});

test('what a service waits for: a number of replicas belongs only to their own target', () => {
  const any = { of: 'a', least: 1 };
  expect(describeNeeds([edge('web', 'db'), edge('web', 'cache', { condition: 'started' })])).toBe(
    'db (ready), cache (started)',
  );
  expect(describeNeeds([edge('web', 'a-1', { any }), edge('web', 'a-2', { any })])).toBe(
    '1 of a-1 (ready), a-2 (ready)',
  );
  expect(describeNeeds([edge('web', 'db'), edge('web', 'a-1', { any }), edge('web', 'a-2', { any })])).toBe(
    'db (ready); 1 of a-1 (ready), a-2 (ready)',
  );
});
