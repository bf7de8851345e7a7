// The examples, which users copy, match the JSON Schema and cause no warnings.
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { jsonSchema } from '../../../src/config/schema.ts';
import { violations } from '../json-schema.ts';

const ROOT = join(import.meta.dir, '../../..');
const EXAMPLES = [...new Bun.Glob('examples/*/services.yaml').scanSync({ cwd: ROOT })].sort();

describe('an example', () => {
  test('exists', () => {
    expect(EXAMPLES.length).toBeGreaterThan(5);
  });

  for (const file of EXAMPLES) {
    const text = readFileSync(join(ROOT, file), 'utf8');

    test(`${file} matches the JSON Schema, which its first line names`, () => {
      expect(text).toStartWith('# yaml-language-server: $schema=../../services.schema.json\n');
      expect(violations(jsonSchema(), parse(text, { merge: true }))).toEqual([]);
    });

    test(`${file} has its own README of about ten lines, or one whose commands are run`, () => {
      const readme = readFileSync(join(ROOT, file, '../README.md'), 'utf8').trimEnd();
      const isRun = /which `test\/examples`\s+runs command by command/.test(readme);
      expect(readme.split('\n').length).toBeLessThanOrEqual(isRun ? 200 : 18);
    });
  }
});
