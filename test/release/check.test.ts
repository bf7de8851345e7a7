// `npm run release -- --check`: what it refuses, in a repository made for the test.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findObstacles } from '../../scripts/release/check.ts';
import { findEntry } from '../../scripts/release/version.ts';
import { must } from '../helpers/container-tools.ts';
import { makeFolder } from '../helpers/release.ts';
import { serveLocally } from '../helpers/serve.ts';

const folder = makeFolder();
const root = join(folder.path, 'repository');
const git = (...args: string[]) =>
  must(['git', '-C', root, '-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args]);
const write = (name: string, text: string) => writeFileSync(join(root, name), text);
const commit = async () => {
  await git('add', '--all');
  await git('commit', '--quiet', '--allow-empty', '--message', 'test');
};
const never = async () => false;

beforeAll(async () => {
  mkdirSync(root);
  await git('init', '--quiet');
  write('package.json', '{"version": "1.2.3"}');
  write('CHANGELOG.md', '# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-12-01\n');
  await commit();
});
afterAll(() => folder.remove());

test('a clean tree with an entry in the changelog may be released', async () => {
  expect(await findObstacles(root, never)).toEqual([]);
});

test('a dirty tree is refused, and the changed files are named', async () => {
  write('new.txt', '');
  expect(await findObstacles(root, never)).toEqual([
    'the working tree has uncommitted changes. Commit them first:\n?? new.txt',
  ]);
  await git('clean', '--quiet', '--force');
});

test('a version without a dated entry in the changelog is refused', async () => {
  for (const heading of ['## Unreleased', '## 1.2.4', '## 1.2.34 - 2026-12-01', '## 1.2.3']) {
    write('CHANGELOG.md', `# Changelog\n\n${heading}\n`);
    await commit();
    expect(await findObstacles(root, never)).toEqual([
      'CHANGELOG.md has no entry of 1.2.3. Add the heading `## 1.2.3 - YYYY-MM-DD`',
    ]);
  }
  write('CHANGELOG.md', '## [1.2.3] - 2026-12-01\n');
  await commit();
  expect(await findObstacles(root, never)).toEqual([]);
});

test('a version that has a tag or is published is refused', async () => {
  await git('tag', 'v1.2.3');
  expect(await findObstacles(root, async () => true)).toEqual([
    'the tag v1.2.3 exists. Increase `version` in package.json',
    'npm has svc-super 1.2.3 already. Increase `version` in package.json',
  ]);
  await git('tag', '--delete', 'v1.2.3');
});

test.each([
  ['has no such package', null, []],
  ['has other versions', ['1.2.2'], []],
  ['has this version', ['1.2.2', '1.2.3'], ['npm has svc-super 1.2.3 already. Increase `version` in package.json']],
])('npm is asked: the registry %s', async (_, versions, expected) => {
  const entry = (version: string) => [version, { name: 'svc-super', version, dist: {} }];
  const packument = { name: 'svc-super', 'dist-tags': {}, versions: Object.fromEntries((versions ?? []).map(entry)) };
  using server = serveLocally(() => (versions === null ? null : Response.json(packument)));
  const before = { ...process.env };
  const ours = { npm_config_registry: `${server.url}/`, npm_config_loglevel: 'silent', NO_PROXY: '127.0.0.1' };
  Object.assign(process.env, ours);
  try {
    expect(await findObstacles(root)).toEqual(expected);
  } finally {
    for (const name of Object.keys(ours)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
});

test('a version that is not semantic is refused', async () => {
  write('package.json', '{"version": "1.2"}');
  await commit();
  expect((await findObstacles(root, never))[0]).toBe('package.json: 1.2 is not a semantic version');
});

test('the date of an entry is that of its own version', () => {
  const text = '## 1.2.30 - 2026-01-01\n## 1.2.3 - 2026-12-01\n';
  expect(findEntry(text, '1.2.3')).toBe('2026-12-01');
  expect(findEntry(text, '1.2.4')).toBeNull();
});
