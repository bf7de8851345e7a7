// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// What is true of all replicas of a service is reported once, with the name of the service.
import { expect, test } from 'bun:test';
import { findLateFiles } from '../../src/check/late-files.ts';
import { findMissingPrograms } from '../../src/check/programs.ts';
import { mergeReplicas } from '../../src/check/replicas.ts';
import { planOf } from '../config/rig.ts';

const PLAN = planOf(`
services:
  task: {type: task, command: x}
  web: {command: x, replicas: 3, depends_on: [task], env_file: late.env}
  off: {command: x, replicas: 2, enabled: "\${SVC_REPLICA:+false}"}
  alone: {command: x}
`);

const about = (services: readonly string[], text = 'x') => services.map((service) => ({ service, text }));

test('statements that are equal for all replicas become one, at the place of the first', () => {
  const given = [...about(['web.0', 'alone', 'web.1']), { service: null, text: 'x' }, ...about(['web.2'])];
  expect(mergeReplicas(given, PLAN)).toEqual([...about(['web', 'alone']), { service: null, text: 'x' }]);
});

test('statements that differ, or that are not about all replicas, remain', () => {
  const given = [...about(['web.0', 'web.1']), ...about(['web.2'], 'y'), ...about(['web.0', 'web.1'], 'z')];
  expect(mergeReplicas(given, PLAN)).toEqual(given);
});

test('two statements of one replica do not count for another', () => {
  const given = about(['web.0', 'web.0', 'web.1']);
  expect(mergeReplicas(given, PLAN)).toEqual(given);
});

test('a file that does not exist yet is one finding for three replicas', () => {
  const found = findLateFiles(PLAN);
  expect(found.map(({ service }) => service)).toEqual(['web.0', 'web.1', 'web.2']);
  expect(mergeReplicas(found, PLAN).map(({ service }) => service)).toEqual(['web']);
});

test('a file that does not exist yet: all that can write it is named', () => {
  const textOf = (fields: string, first = 'task: {type: task, command: x}') =>
    findLateFiles(planOf(`services: {${first}, web: {command: x, env_file: late.env, ${fields}}}`))[0]?.text ?? '';
  const hook = 'hooks: {before_start: make}';
  expect(textOf('depends_on: [task]')).toEndWith(': the task task, which runs before, can write it');
  expect(textOf(`depends_on: [task], ${hook}`)).toEndWith(
    ': the task task, which runs before, or its hook `before_start` can write it',
  );
  expect(textOf(hook)).toEndWith(': its hook `before_start` can write it');
  expect(textOf('depends_on: [agent]', 'agent: {command: a}')).toEndWith(': a service that starts before can write it');
});

test('`up` warns once of the missing program of three replicas, and of each where the programs differ', () => {
  const plan = planOf(`
services:
  first: {command: [/bin/sh]}
  same: {command: [/no/program], replicas: 3, depends_on: [first]}
  other: {command: ["/no/program-\${SVC_REPLICA}"], replicas: 2, depends_on: [first]}
`);
  const found = [...findMissingPrograms(plan)].flatMap((missing) => (missing === null ? [] : [missing.service]));
  expect(found).toEqual(['same', 'other.0', 'other.1']);
});
