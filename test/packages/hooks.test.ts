// What checks services.yaml before an image is built: the GitHub Action, its step as GitHub runs it, and that every place which
// names a version names that of package.json. test/hooks has the hook for pre-commit.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { TestPackages } from '../helpers/packages.ts';
import { Registry, UserFolder } from '../helpers/registry.ts';

const ROOT = join(import.meta.dir, '../..');
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');

interface Step {
  readonly shell: string;
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
}

describe('the GitHub Action', () => {
  const { inputs, runs } = parse(read('action.yml')) as {
    inputs: { files: { default: string } };
    runs: { steps: readonly Step[] };
  };
  let packages: TestPackages;
  let registry: Registry;

  beforeAll(() => {
    packages = new TestPackages();
    registry = new Registry(packages.npm());
  });
  afterAll(() => {
    registry[Symbol.dispose]();
    packages[Symbol.dispose]();
  });

  /** Runs the step; expressions are replaced as GitHub replaces them. */
  async function check(texts: Readonly<Record<string, string>>, files = inputs.files.default) {
    const [step] = runs.steps as [Step];
    const values: Readonly<Record<string, string>> = { 'inputs.files': files, 'github.action_path': ROOT };
    const replace = (text: string) => text.replace(/\$\{\{ (\S+) \}\}/g, (_, name: string) => values[name] ?? '');
    const env = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, replace(value)]));
    expect([runs.steps.length, step.shell]).toEqual([1, 'bash']);
    using user = new UserFolder({ npm_config_registry: registry.url, ...env });
    for (const [name, text] of Object.entries(texts)) writeFileSync(user.in(name), text);
    return await user.run('bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run);
  }

  test('accepts a right file', async () => {
    const { code, stdout, stderr } = await check({ 'services.yaml': 'services: {a: {command: sleep 1}}\n' });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringContaining('services.yaml: ok, 1 service'),
      stderr: '',
    });
  });

  test('fails with the mistakes of each file, in the form of the problem matcher', async () => {
    const right = 'services: {a: {command: sleep 1}}\n';
    const { code, stdout, stderr } = await check({ 'a.yaml': right, 'b.yaml': 'services: {a: {}}\n' }, 'a.yaml b.yaml');
    expect(code).toBe(78);
    const path = '.github/problem-matcher.json';
    expect(stdout).toContain(`::add-matcher::${ROOT}/${path}\n`);
    const [{ pattern }] = JSON.parse(read(path)).problemMatcher;
    const [, file = '', line, , severity] = new RegExp(pattern[0].regexp, 'm').exec(stderr) ?? [];
    expect({ isFile: file.endsWith('/b.yaml'), line, severity }).toEqual({
      isFile: true,
      line: '1',
      severity: 'error',
    });
  });
});

test('the entry for SchemaStore has the address of the schema', () => {
  const { url } = JSON.parse(read('docs/schemastore.json')) as { url: string };
  expect(url).toBe((JSON.parse(read('services.schema.json')) as { $id: string }).$id);
});

test('every place that names a version names the same', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const [, ...own] = read('pyproject.toml').match(/\d+\.\d+\.\d+(?="\]?$)/gm) ?? []; // the first one is setuptools'
  expect(own).toEqual([version, version]);
  for (const name of ['README.md', 'docs/check.md'])
    for (const [, found] of read(name).matchAll(/(?:svc-super@v?|rev: v)(\d+\.\d+\.\d+)/g))
      expect([name, found]).toEqual([name, version]);
});
