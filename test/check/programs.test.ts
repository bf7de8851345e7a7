// Which missing programs `up` warns of: those that nothing before the service may install.
import { expect, test } from 'bun:test';
import { commandsOf, findMissingPrograms } from '../../src/check/programs.ts';
import type { Hooks, ServicePlan } from '../../src/plan/plan.ts';
import { on, plan, service, stages, task } from '../helpers/plans.ts';

const HOOKS: Hooks = { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null };
const prepare = { ...HOOKS, beforeStart: { argv: ['/bin/true'], timeout: 1_000 } };
const missing = { argv: ['/opt/none'] };

/** The services of which `up` warns. */
const warned = (...services: readonly ServicePlan[]) =>
  [...findMissingPrograms(plan(services))].flatMap((found) => (found === null ? [] : [found.service]));

test('a program that a task before the service may install is not missing yet, however far before', () => {
  const db = service('db', { edges: [on('install', 'completed')] });
  expect(warned(task('install'), db, service('web', { ...missing, edges: [on('db')] }))).toEqual([]);
  expect(warned(service('db'), service('web', { ...missing, edges: [on('db')] }))).toEqual(['web']);
});

test('so may a hook of a service before it, and a task of an earlier stage', () => {
  const web = service('web', { ...missing, edges: [on('db')] });
  expect(warned(service('db', { hooks: prepare }), web)).toEqual([]);
  expect(warned(service('db', { hooks: { ...HOOKS, afterExit: prepare.beforeStart } }), web)).toEqual(['web']);
  expect(warned(...stages([task('install')], [service('b')], [service('c', missing)]))).toEqual([]);
});

test('its own hook counts for its commands, not for those of services beside it', () => {
  const found = commandsOf(plan([service('a', { hooks: prepare }), service('b')]));
  expect(found.map(({ service: { name }, field, installer }) => [name, field, installer])).toEqual([
    ['a', 'before_start', null],
    ['a', null, 'a task or hook before it'],
    ['b', null, null],
  ]);
});
