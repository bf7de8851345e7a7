// The environment of a run: env files and secrets are read again at each start, and may be made by what runs before.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { difference } from '../../src/plan/difference.ts';
import type { Plan, ServicePlan } from '../../src/plan/plan.ts';
import { describeFailure, readRunEnvironment, tasksBefore } from '../../src/plan/run-environment.ts';
import { memoryFiles, messages, planOf } from '../config/rig.ts';

type Texts = Readonly<Record<string, string>>;

const MADE = `
env: { SHARED: top, FROM: "{}" }
services:
  make: { type: task, command: make, env_inherit: none }
  web:
    command: serve
    depends_on: [make]
    env_file: made.env
    env: { TOKEN: { file: /run/token }, FIXED: own }
`;

const webOf = ({ services }: Plan): ServicePlan => services.find(({ name }) => name === 'web') as ServicePlan;
const read = (plan: ServicePlan, files: Texts) => readRunEnvironment(plan, memoryFiles(files));

describe('a file that something makes before the service starts', () => {
  test('is no error when it is missing at load, and is read at the start', () => {
    const plan = planOf(MADE);
    expect(plan.lateFiles).toEqual(['/app/made.env', '/run/token']);
    const web = webOf(plan);
    expect(web.env).not.toHaveProperty('TOKEN');
    expect(web.secrets).toEqual(['TOKEN']);
    const { env, failure } = read(web, { '/app/made.env': 'A=1\nSHARED=file\nFIXED=file\n', '/run/token': 'secret\n' });
    expect(failure).toBeNull();
    expect(env).toMatchObject({ A: '1', SHARED: 'file', FIXED: 'own', TOKEN: 'secret', SVC_NAME: 'web' });
  });

  test('may be made by the hook before_start, or by a service that starts before', () => {
    const needs = 'env: { T: { file: /run/t } }';
    expect(messages(`services: { web: { command: x, ${needs}, hooks: { before_start: make } } }`)).toEqual([]);
    expect(messages(`services: { agent: { command: a }, web: { command: x, ${needs}, depends_on: [agent] } }`)).toEqual(
      [],
    );
  });

  test('is an error at load if nothing runs before', () => {
    const alone = ['cannot read /run/t: there is no such file'];
    expect(messages('services: { web: { command: x, env: { T: { file: /run/t } } } }')).toEqual(alone);
    // The task that would make it needs it too.
    const shared =
      'env: { T: { file: /run/t } }\nservices: { make: { type: task, command: m }, web: { command: x, depends_on: [make] } }';
    expect(messages(shared)).toEqual(alone);
  });

  test('that cannot be read for another reason is an error at load', () => {
    const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    expect(messages(MADE, { files: { '/run/token': denied, '/app/made.env': '' } })).toEqual([
      'cannot read /run/token: permission denied',
    ]);
  });

  test('is no change at a reload, once it exists', () => {
    const before = planOf(MADE);
    const files = { '/app/made.env': 'A=1\n', '/run/token': 'x\n' };
    const after = planOf(MADE, { before, files });
    expect(difference(before, after).unchanged).toEqual(['make', 'web']);
    expect(after.lateFiles).toEqual(before.lateFiles);
    // Without a plan before, it is one of the files that a reload compares.
    expect(
      difference(planOf(MADE, { files }), planOf(MADE, { files: { ...files, '/run/token': 'y' } })).changed,
    ).toEqual([{ name: 'web', fields: ['env'] }]);
  });

  test('is a change at a reload if it may be missing', () => {
    const optional = MADE.replace('made.env', '{ path: made.env, required: false }');
    const before = planOf(optional);
    expect(before.lateFiles).toEqual(['/run/token']);
    const after = planOf(optional, { before, files: { '/app/made.env': 'A=1\n' } });
    expect(difference(before, after).changed.map(({ name }) => name)).toEqual(['web']);
  });
});

describe('at a start', () => {
  test('a missing file is an error that names the tasks that ran before', () => {
    const plan = planOf(MADE);
    const { failure } = read(webOf(plan), { '/app/made.env': '' });
    if (failure === null) throw new Error('there is no failure');
    expect(describeFailure(failure, tasksBefore(plan, 'web'))).toBe(
      'cannot read /run/token: there is no such file; the task make, which ran before, should have made it',
    );
    expect(describeFailure(failure, ['a', 'b'])).toContain(
      'one of the tasks a, b, which ran before, should have made it',
    );
    expect(describeFailure(failure, [])).toContain('create it, or write');
  });

  test('a mistake in an env file is an error with its line, and shows no value', () => {
    const { failure } = read(webOf(planOf(MADE)), { '/app/made.env': 'A=1\nhunter2\n', '/run/token': '' });
    expect(failure).toMatchObject({ file: '/app/made.env:2', isMissing: false });
    expect(JSON.stringify(failure)).not.toContain('hunter2');
  });

  test('an optional env file may be missing', () => {
    const web = webOf(planOf('services: { web: { command: x, env_file: { path: a.env, required: false } } }'));
    expect(read(web, {})).toEqual({ env: web.env, failure: null });
    expect(read(web, { '/app/a.env': 'A=1' }).env.A).toBe('1');
  });

  test('a variable that a file had has the value from below again', () => {
    const text = 'env: { A: top }\nservices: { web: { command: x, env_file: a.env } }';
    const around = { environment: { B: 'container' } };
    const web = webOf(planOf(text, { ...around, files: { '/app/a.env': 'A=file\nB=file\nC=file\n' } }));
    expect(web.env).toMatchObject({ A: 'file', B: 'file', C: 'file' });
    const { env } = read(web, { '/app/a.env': '' });
    expect([env.A, env.B, env.C]).toEqual(['top', 'container', undefined]);
  });

  test('a variable may be called `__proto__`', () => {
    const text = 'services: { web: { command: x, env_file: a.env, env: { __proto__: own } } }';
    const files = { '/app/a.env': 'A=1' };
    const web = webOf(planOf(text, { files }));
    expect(Object.entries(web.env)).toContainEqual(['__proto__', 'own']);
    expect(Object.entries(read(web, files).env)).toContainEqual(['__proto__', 'own']);
  });

  test('the environment is what it would be if the plan were made then', () => {
    const name = fc.constantFrom('A', 'B', 'C', 'PATH', 'PORT', 'HOME', 'SVC_NAME', 'SVC_RUN');
    const variables = fc.dictionary(name, fc.constantFrom('1', '2', '/x'), { maxKeys: 4 });
    const lines = variables.map((all) =>
      Object.entries(all)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    const texts = fc.record({ '/app/top.env': lines, '/app/web.env': lines, '/run/s': fc.constantFrom('s', 't') });
    const own = fc.dictionary(fc.constantFrom('A', 'B', 'PATH'), fc.constantFrom('3', { file: '/run/s' }), {
      maxKeys: 2,
    });
    fc.assert(
      fc.property(texts, texts, own, own, variables, fc.boolean(), (first, then, top, web, container, hasVenv) => {
        const service = {
          command: 'x',
          port: 80,
          user: '7',
          env: web,
          env_file: 'web.env',
          ...(hasVenv && { venv: '/v' }),
        };
        const config = JSON.stringify({ env: top, env_file: ['top.env'], services: { web: service } });
        const venv = { '/v': null, '/v/bin': null, '/v/bin/python': '' };
        const { SVC_NAME: _, SVC_RUN: __, ...environment } = container;
        const made = (files: Texts) => webOf(planOf(config, { files: { ...venv, ...files }, environment }));
        expect(readRunEnvironment(made(first), memoryFiles(then))).toEqual({ env: made(then).env, failure: null });
      }),
      { numRuns: 300 },
    );
  });
});

test('a service without files has no recipe', () => {
  const web = webOf(planOf('env: { A: 1 }\nservices: { web: { command: x } }'));
  expect(web).not.toHaveProperty('envRecipe');
  expect(readRunEnvironment(web, memoryFiles({})).env).toBe(web.env);
});

test('the tasks before a service are found through other services, and stages', () => {
  const text = `
groups: [one, two]
services:
  a: { type: task, command: x, group: one, replicas: 2 }
  b: { command: x, group: two }
  c: { type: task, command: x, depends_on: [b] }
  d: { command: x, depends_on: [c] }
  e: { type: task, command: x }
`;
  expect(tasksBefore(planOf(text), 'd')).toEqual(['a', 'c']);
  expect(tasksBefore(planOf(text), 'e')).toEqual([]);
});
