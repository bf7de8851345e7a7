// What `up` prints for a configuration that it refuses: errors of the command line without a line of the file, and others with it.
import { expect, test } from 'bun:test';
import { prepare } from '../../src/up/configuration.ts';
import { memoryFiles, PATH } from '../config/rig.ts';

const TWO = 'services:\n  a: { command: a }\n  b: { command: b }\n';

function refusal(text: string, names: readonly string[]): string {
  const prepared = prepare({ path: PATH, files: memoryFiles({ [PATH]: text }), environment: {}, names });
  return prepared.ok ? '' : prepared.text;
}

test('a first word that is no service may be a mistyped command', () => {
  expect(refusal(TWO, ['statsu', 'a'])).toBe(
    'svc-super: there is no service `statsu` in /app/services.yaml; there is a, b\n' +
      'svc-super: `statsu` is not a command either; `svc-super help` lists the commands; did you mean `status`?\n',
  );
});

test('a command that comes after flags of `up` is not said to be unknown', () => {
  expect(refusal(TWO, ['check'])).toBe(
    'svc-super: there is no service `check` in /app/services.yaml; there is a, b\n' +
      'svc-super: `check` is a command only as the first word: `svc-super check ...`\n',
  );
});

test('a later word is only a service', () => {
  expect(refusal(TWO, ['a', 'statsu'])).toBe(
    'svc-super: there is no service `statsu` in /app/services.yaml; there is a, b\n',
  );
});

test('an unknown service in depends_on is an error of the file, with its line', () => {
  const text = refusal('services:\n  a: { command: a, depends_on: [bb] }\n  b: { command: b }\n', []);
  expect(text).toStartWith('/app/services.yaml:2:33: error: `a` depends on `bb`, which does not exist\n   2 |');
  expect(text).not.toContain('either');
});
