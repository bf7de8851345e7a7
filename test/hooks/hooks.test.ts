// The hook for commits as pre-commit runs it, with the wheel from a folder; and the workflows, read by zizmor (pins, permissions,
// injection) and against GitHub's schemas. Installs the pinned tools in a folder of its own. `npm run test:release` runs it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeWheel } from '../../scripts/release/wheels.ts';
import { HOST, TestPackages } from '../helpers/packages.ts';
import { UserFolder } from '../helpers/registry.ts';
import { skipWhen } from '../helpers/skip.ts';
import { findUv, whyNoUv } from '../helpers/uv.ts';

const ROOT = join(import.meta.dir, '../..');
const WORKFLOWS = ['ci.yml', 'release.yml'].map((name) => join(ROOT, '.github/workflows', name));
const INSTALLATION = 300_000;
const isSkipped = skipWhen([whyNoUv()], 'the tests of the hooks');

describe.skipIf(isSkipped)('before an image is built', () => {
  const packages = new TestPackages();
  // The authorities of this machine: the tools come from PyPI.
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  const user = new UserFolder({
    SSL_CERT_FILE: certificates,
    PIP_CERT: certificates,
    PIP_FIND_LINKS: packages.packing.output,
    GIT_CONFIG_GLOBAL: '/dev/null',
    PRE_COMMIT_HOME: join(packages.folder, 'pre-commit'),
  });
  const tool = (name: string) => user.in(`.tools/bin/${name}`);
  const git = (...args: string[]) => user.must('git', ...args);

  beforeAll(async () => {
    const uv = findUv() ?? '';
    makeWheel(HOST, packages.packing);
    await user.must(uv, 'venv', '--quiet', '--python', '/usr/bin/python3', '.tools');
    const requirements = join(ROOT, 'test/python/tools.txt');
    await user.must(uv, 'pip', 'install', '--quiet', '--require-hashes', '--python', '.tools', '-r', requirements);
    await git('init', '--quiet', '.');
  }, INSTALLATION);
  afterAll(() => {
    user[Symbol.dispose]();
    packages[Symbol.dispose]();
  });

  test('pre-commit checks each services.yaml of a commit', async () => {
    // As much of this repository as pre-commit clones.
    const hook = user.in('.hook');
    mkdirSync(hook);
    for (const name of ['.pre-commit-hooks.yaml', 'pyproject.toml']) copyFileSync(join(ROOT, name), join(hook, name));
    await user.must('git', '-C', hook, 'init', '--quiet');
    await user.must('git', '-C', hook, 'add', '.');
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
    await user.must('git', '-C', hook, ...author, 'commit', '--quiet', '-m', 'hook');
    mkdirSync(user.in('chat'));
    writeFileSync(user.in('services.yaml'), 'services: {a: {command: sleep 1, env: {T: {file: /no/secret}}}}\n');
    writeFileSync(user.in('chat/services.yaml'), 'services: {a: {comand: x}}\n');
    writeFileSync(user.in('other.yaml'), 'services: 7\n');
    const run = (...files: string[]) =>
      user.run(tool('pre-commit'), 'try-repo', hook, 'svc-super-check', '--verbose', '--files', ...files);
    const right = await run('services.yaml', 'other.yaml');
    expect({ code: right.code, stderr: right.stderr }).toEqual({ code: 0, stderr: '' });
    expect(right.stdout).toContain('/services.yaml: ok; 1 warning\n');
    expect(right.stdout).not.toContain('other.yaml');
    const wrong = await run('services.yaml', 'chat/services.yaml');
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toContain('did you mean `command`?');
  });

  test('zizmor finds nothing in the workflows and the action', async () => {
    const { code, stdout } = await user.run(
      tool('zizmor'),
      '--offline',
      '--no-progress',
      ...WORKFLOWS,
      join(ROOT, 'action.yml'),
    );
    expect({ code, stdout: code === 0 ? '' : stdout }).toEqual({ code: 0, stdout: '' });
  });

  test('workflows, action and hook fit their schemas', async () => {
    const check = (schema: string, ...files: string[]) =>
      user.must(tool('check-jsonschema'), '--builtin-schema', schema, ...files);
    await check('vendor.github-workflows', ...WORKFLOWS);
    await check('vendor.github-actions', join(ROOT, 'action.yml'));
  });

  test('each action of a workflow is pinned by hash, with its version', async () => {
    for (const file of WORKFLOWS) {
      const uses = (await Bun.file(file).text()).match(/uses: .*/g) ?? [];
      for (const line of uses)
        expect([basename(file), line]).toEqual([
          basename(file),
          expect.stringMatching(/^uses: (\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\.\/\.github\/workflows\/ci\.yml .*)$/),
        ]);
    }
  });
});
