// The old and the new value of each field that two plans differ in.
import { expect, test } from 'bun:test';
import { difference } from '../../src/plan/difference.ts';
import { fieldChanges } from '../../src/plan/field-changes.ts';
import { oneService, planOf } from '../config/rig.ts';

/** Lines of `field: old -> new`. */
function changesOf(before: readonly string[], after: readonly string[], files = {}): readonly string[] {
  const [from, to] = [before, after].map((lines) =>
    planOf(`${oneService('command: run', ...lines)}  b: { command: b }\n`, { files }),
  );
  const [a, b] = [from?.services[0], to?.services[0]];
  if (from === undefined || to === undefined || a === undefined || b === undefined) throw new Error('no plan');
  const { changed } = difference(from, to);
  return fieldChanges(a, b, changed[0]?.fields ?? []).map((one) => `${one.field}: ${one.from} -> ${one.to}`);
}

test.each<[string, string[], string[], string[]]>([
  ['a duration', ['stop: { timeout: 2s }'], ['stop: { timeout: 3s }'], ['stop.timeout: 2s -> 3s']],
  ['a value that is new', [], ['cwd: /srv'], ['cwd: null -> /srv']],
  ['a value inside', ['ready: { tcp: 1 }'], ['ready: { tcp: 2 }'], ['ready.0.port: 1 -> 2']],
  ['a list', ['success_codes: [0]'], ['success_codes: [0, 3]'], ['success_codes: [0] -> [0,3]']],
  [
    'a header of a probe, which may be a secret',
    ['ready: { http: { port: 1, headers: { Authorization: a } } }'],
    ['ready: { http: { port: 2, headers: { Authorization: b } } }'],
    ['ready.0.headers.Authorization: *** -> ***', 'ready.0.port: 1 -> 2'],
  ],
  [
    'a header of a probe that a hook waits for',
    ['hooks: { before_stop: { wait_for: { http: { port: 1, headers: { xKey: a } } } } }'],
    ['hooks: { before_stop: { wait_for: { http: { port: 1, headers: { xKey: b } } } } }'],
    ['hooks.before_stop.wait_for.headers.xKey: *** -> ***'],
  ],
  [
    'a secret in a command that is a text',
    ['stop: { command: serve --api-key a }'],
    ['stop: { command: serve --api-key b }'],
    ['stop.command: serve --api-key *** -> serve --api-key ***'],
  ],
  ['a variable in camelCase', ['env: { fooBar: "1" }'], ['env: { fooBar: "2" }'], ['env.fooBar: 1 -> 2']],
  ['an attribute', ['nice: 1'], ['nice: 2'], ['nice: 1 -> 2']],
  ['a key of two words', ['start_timeout: 1m'], ['start_timeout: 90s'], ['start_timeout: 1m -> 1m30s']],
  ['a dependency', [], ['depends_on: { b: started }'], ['depends_on.b: null -> started']],
  [
    'when a task runs',
    ['type: task', 'every: 5m'],
    ['type: task', 'schedule: "@daily"', 'jitter: 1m'],
    ['every: 5m -> null', 'schedule: null -> @daily', 'jitter: 0s -> 1m'],
  ],
  ['how it starts', [], ['start: manual'], ['start: auto -> manual', 'essential: true -> false']],
  [
    'a secret',
    ['env: { API_TOKEN: a, B: "1" }'],
    ['env: { API_TOKEN: b, B: "2" }'],
    ['env.API_TOKEN: *** -> ***', 'env.B: 1 -> 2'],
  ],
])('%s', (_title, before, after, expected) => {
  expect(changesOf(before, after).toSorted()).toEqual(expected.toSorted());
});

test('a value that differs only in its secret is reported, without the secret', () => {
  const [from, to] = ['command: [run, --api-key, one]', 'command: [run, --api-key, two]'].map(
    (line) => planOf(oneService(line)).services[0],
  );
  if (from === undefined || to === undefined) throw new Error('no plan');
  const shown = '["run","--api-key","***"]';
  expect(fieldChanges(from, to, ['argv'])).toEqual([{ field: 'command', from: shown, to: shown }]);
  expect(changesOf(['env: { DB: "postgres://me:a@db/x" }'], ['env: { DB: "postgres://me:b@db/x" }'])).toEqual([
    'env.DB: postgres://me:***@db/x -> postgres://me:***@db/x',
  ]);
});

test('a text command is shown as it was written, and a list as a list', () => {
  const [from, to] = ['command: run --fast', 'command: [run, "a b"]'].map(
    (line) => planOf(oneService(line)).services[0],
  );
  if (from === undefined || to === undefined) throw new Error('no plan');
  expect(fieldChanges(from, to, ['argv'])).toEqual([{ field: 'command', from: 'run --fast', to: '["run","a b"]' }]);
});

test('a value from a file, and the password of an address, are hidden', () => {
  const files = { '/run/a': 'one', '/run/b': 'two' };
  expect(changesOf(['env: { X: { file: /run/a } }'], ['env: { X: { file: /run/b } }'], files)).toEqual([
    'env.X: *** -> ***',
  ]);
  expect(changesOf(['env: { dbLogin: { file: /run/a } }'], ['env: { dbLogin: { file: /run/b } }'], files)).toEqual([
    'env.dbLogin: *** -> ***',
  ]);
  expect(changesOf([], ['env: { DB: "postgres://me:secret@db/x" }'])).toEqual([
    'env.DB: null -> postgres://me:***@db/x',
  ]);
});
