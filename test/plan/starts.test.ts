// Which services start with the supervisor: `start`, `profiles`, the profiles that are on, and services that are named.
import { describe, expect, test } from 'bun:test';
import type { PlanContext } from '../../src/plan/expand.ts';
import { load, messages } from '../config/rig.ts';

const FILE = `
services:
  web: { command: web, depends_on: [store] }
  store: { command: store, start: manual }
  debug: { command: debug, profiles: [debug, tools], depends_on: [probe] }
  probe: { command: probe, profiles: [debug] }
  shell: { command: shell, start: manual, essential: true }
`;

type Choice = Pick<PlanContext, 'names' | 'profiles'> & { readonly environment?: Readonly<Record<string, string>> };

function startsOf(choice: Choice = {}, text = FILE): Readonly<Record<string, string>> {
  const loaded = load(text, choice);
  if (!loaded.ok) throw new Error(loaded.error.diagnostics.map(({ message }) => message).join('\n'));
  return Object.fromEntries(loaded.value.plan.services.map(({ name, start }) => [name, start]));
}

describe('a service', () => {
  const off = { debug: 'profile-off', probe: 'profile-off' };
  const others = { web: 'auto', store: 'manual', shell: 'manual' };

  test('with profiles starts if one of them is on', () => {
    expect(startsOf()).toEqual({ ...others, ...off });
    const on = { ...others, debug: 'auto', probe: 'auto' };
    expect(startsOf({ profiles: ['debug'] })).toEqual(on);
    expect(startsOf({ profiles: ['*'] })).toEqual(on);
    expect(startsOf({ environment: { SVC_SUPER_PROFILES: ' debug ,, tools' } })).toEqual(on);
    expect(startsOf({ environment: { SVC_SUPER_PROFILES: '' } })).toEqual({ ...others, ...off });
  });

  test('that is named starts whatever it says, and turns its profiles on for what it needs', () => {
    expect(startsOf({ names: ['debug'] })).toEqual({ debug: 'auto', probe: 'auto' });
    expect(startsOf({ names: ['shell'] })).toEqual({ shell: 'auto' });
    expect(startsOf({ names: ['web'] })).toEqual({ web: 'auto', store: 'manual' });
  });

  test('that is started by hand is not essential unless it says so, and never while its profile is off', () => {
    const loaded = load(FILE.replace('command: probe', 'command: probe, essential: true'));
    const services = loaded.ok ? loaded.value.plan.services : [];
    expect(services.filter(({ essential }) => essential).map(({ name }) => name)).toEqual(['web', 'shell']);
  });
});

describe('a mistake', () => {
  test('a service that starts depends on one whose profile is off, directly or through one that is started by hand', () => {
    const text = FILE.replace('command: store', 'command: store, depends_on: [probe]');
    expect(messages(text)).toEqual(['`store` depends on `probe`, whose profile `debug` is off']);
    expect(messages(text, { profiles: ['debug'] })).toEqual([]);
    expect(messages(FILE, { profiles: ['tools'] })).toEqual([
      '`debug` depends on `probe`, whose profile `debug` is off',
    ]);
  });

  test('a disabled service does not start, so the profiles of its own dependencies do not matter', () => {
    const text = FILE.replace('command: store', 'command: store, enabled: false, depends_on: [probe]');
    expect(messages(text)).toEqual(['`web` will not start: it depends on `store`, which is not enabled']);
    const both = FILE.replace('start: manual }', 'enabled: false, profiles: [x] }');
    expect(messages(both)).toEqual(['`web` will not start: it depends on `store`, which is not enabled']);
  });

  test('an unknown profile: an error on the command line, a warning in the environment', () => {
    const loaded = load(FILE, { profiles: ['debgu'] });
    const [first] = loaded.ok ? [] : loaded.error.diagnostics;
    expect([first?.message, first?.suggestion]).toEqual([
      'no service has the profile `debgu`',
      'did you mean `debug`?',
    ]);
    const warned = load(FILE, { environment: { SVC_SUPER_PROFILES: 'gone' } });
    expect(warned.ok ? warned.value.warnings.map(({ message }) => message) : []).toEqual([
      'no service has the profile `gone` of $SVC_SUPER_PROFILES',
    ]);
  });

  test('nothing starts by itself', () => {
    const text = 'services: { a: { command: a, start: manual }, b: { command: b, profiles: [x] } }\n';
    expect(messages(text)).toEqual([
      'no service starts by itself: each is `start: manual`, or has a profile that is off',
    ]);
    expect(startsOf({ names: ['a'] }, text)).toEqual({ a: 'auto' });
    expect(messages(text, { profiles: ['y'] })).toEqual(['no service has the profile `y`']);
  });
});

test('alternatives may have the same port and log file, unless both start', () => {
  const text = `
services:
  web: { command: web }
  cpu: { command: cpu, port: 8000, profiles: [cpu], log: { file: { path: /l } } }
  gpu: { command: gpu, port: 8000, profiles: [gpu], log: { file: { path: /l } } }
`;
  expect(messages(text, { profiles: ['cpu'] })).toEqual([]);
  expect(messages(text, { profiles: ['cpu', 'gpu'] })).toEqual([
    '`gpu` and `cpu` both listen on port 8000',
    '`gpu` and `cpu` write the same log file /l',
  ]);
});

test('a service that is started by hand has its port and log file while one that starts needs it', () => {
  const text = `
services:
  web: { command: web, port: 8000, log: { file: { path: /l } }, depends_on: [proxy] }
  proxy: { command: proxy, start: manual, depends_on: [store] }
  store: { command: store, port: 8000, start: manual, log: { file: { path: /l } } }
  other: { command: other, port: 8000, start: manual }
`;
  expect(messages(text)).toEqual([
    '`store` and `web` both listen on port 8000',
    '`store` and `web` write the same log file /l',
  ]);
  expect(messages(text.replace(', depends_on: [store]', ''))).toEqual([]);
});

test('a service that is started by hand cannot write both streams to one file by two writers', () => {
  const log = 'log: { file: { path: /l }, stderr_file: { path: /l } }';
  const text = `services: { a: { command: a }, b: { command: b, start: manual, ${log} } }\n`;
  expect(messages(text)).toEqual(['`file` and `stderr_file` of `b` are the same log file /l']);
});
