// What the first stage reads is what the second goes on with, whatever it holds; and the file in memory that carries it.
import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadPlan } from '../../src/plan/expand.ts';
import { readMemoryFile, writeMemoryFile } from '../../src/sys/memory-file.ts';
import { pack, unpack } from '../../src/up/handover.ts';
import { plan, service } from '../helpers/plans.ts';

const ROOT = join(import.meta.dir, '../..');
const around = (services: Parameters<typeof plan>[0]) => ({
  file: '/etc/svc-super/services.yaml',
  names: ['a'],
  doubts: ['one', 'two'],
  plan: plan(services),
});

describe('a plan that is handed over', () => {
  for (const name of [...new Bun.Glob('examples/*/services.yaml').scanSync({ cwd: ROOT })].sort()) {
    test(`comes out as it went in: ${name}`, () => {
      const path = join(ROOT, name);
      const environment = { PATH: '/bin', HOME: '/root', PUBLIC_KEY: 'k', JUPYTER_PASSWORD: 'p', RUN_DIR: '/run/x' };
      // Whatever it needs is there.
      const accounts = ['root', 'nobody', 'postgres', 'redis', 'www-data', 'ray'].map(
        (who) => `${who}:x:9:9::/:/bin/sh\n`,
      );
      const files = {
        read: (file: string) => (file === path ? readFileSync(path) : Buffer.from(accounts.join(''))),
        stat: (file: string) => {
          const isFile = /\.|passwd|group|python$/.test(file);
          return { size: 0, isDirectory: !isFile, isFile };
        },
      };
      const loaded = loadPlan({ path, files, environment });
      if (!loaded.ok) throw new Error(loaded.error.diagnostics.map(({ message }) => message).join('\n'));
      const handover = { file: path, names: [], doubts: [], plan: loaded.value.plan };
      expect(unpack(pack(handover))).toStrictEqual(handover);
    });
  }

  test('keeps every environment, whatever its words are', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', '', '0', '\ud800'),
    );
    fc.assert(
      fc.property(fc.array(fc.dictionary(word, word), { minLength: 1 }), (environments) => {
        const handover = around(environments.map((env, at) => service(`s${at}`, { env })));
        expect(unpack(pack(handover))).toEqual(handover);
      }),
    );
  });

  test('holds what all services have once', () => {
    const long = 'x'.repeat(10_000);
    const count = 100;
    const services = Array.from({ length: count }, (_, at) => service(`s${at}`, { env: { LONG: long } }));
    expect(pack(around(services)).length).toBeLessThan(pack(around([])).length + 2 * long.length + count * 2_000);
  });
});

describe('a file in memory', () => {
  test('gives back its text and is gone then', () => {
    const text = `${'ä'.repeat(1_000_000)}\n\0end`;
    const fd = writeMemoryFile(text);
    expect(statSync(`/proc/self/fd/${fd}`).nlink).toBe(0);
    expect(readMemoryFile(fd)).toBe(text);
    expect(existsSync(`/proc/self/fd/${fd}`)).toBe(false);
  });
});
