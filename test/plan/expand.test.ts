// From a path to a Plan: the file, the name, and consistent terms in config and plan.
import { describe, expect, test } from 'bun:test';
import { loadConfig } from '../../src/config/load.ts';
import { loadPlan, toPlan } from '../../src/plan/expand.ts';
import { memoryFiles } from '../config/rig.ts';

const RUN = 'services: { a: { command: run, env_file: x.env } }\n';

function load(path: string, cwd?: string) {
  const files = memoryFiles({
    [path]: RUN,
    '/srv/chat/services.yaml': RUN,
    '/srv/chat/x.env': 'A=1\n',
    'x.env': 'A=2\n',
  });
  const loaded = loadPlan({ path, files, environment: {}, ...(cwd === undefined ? {} : { cwd }) });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error.diagnostics));
  const { name, file, services } = loaded.value.plan;
  return [name, file, services[0]?.env.A];
}

describe('a plan', () => {
  test("is named after its file's folder", () => {
    expect(load('/srv/chat/services.yaml')).toEqual(['chat', '/srv/chat/services.yaml', '1']);
    expect(load('services.yaml')).toEqual(['services', 'services.yaml', '2']);
  });

  test('of a relative path starts at the working directory if it is given', () => {
    expect(load('services.yaml', '/srv/chat')).toEqual(['chat', '/srv/chat/services.yaml', '1']);
    expect(load('../chat/./services.yaml', '/srv/other')).toEqual(['chat', '/srv/chat/services.yaml', '1']);
  });

  test('of the root folder has a name too', () => {
    const files = memoryFiles({ '/services.yaml': 'services: { a: { command: run } }\n' });
    const loaded = loadPlan({ path: '/services.yaml', files, environment: {} });
    expect(loaded.ok && loaded.value.plan.name).toBe('services');
  });

  test('can be made from a config in two steps', () => {
    const files = memoryFiles({ '/a/s.yaml': 'services: { a: { command: run, user: nobody } }\n' });
    const config = loadConfig('/a/s.yaml', files, {});
    if (!config.ok) throw new Error('wrong');
    const wrong = toPlan(config.value, { files, environment: {} });
    expect(wrong.ok ? [] : wrong.error.diagnostics.map(({ code }) => code)).toEqual(['unknown-user']);
    const passwd = { '/etc/passwd': 'nobody:x:65534:65534::/:/bin/false\n' };
    const right = toPlan(config.value, { files: memoryFiles(passwd), environment: {} });
    expect(right.ok && right.value.plan.services[0]?.attributes.user?.uid).toBe(65_534);
  });
});
