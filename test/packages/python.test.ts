// The wheels as a user installs them with uv, from an index of the test: uv picks the wheel of this platform, the programs
// are in the environment's `bin`, and the module executes them.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { findPlatform, PLATFORMS } from '../../scripts/release/platforms.ts';
import { makeWheel, wheelOf } from '../../scripts/release/wheels.ts';
import { HOST, TestPackages } from '../helpers/packages.ts';
import { Registry, UserFolder } from '../helpers/registry.ts';
import { skipWhen } from '../helpers/skip.ts';
import { findUv, whyNoUv } from '../helpers/uv.ts';

const isSkipped = skipWhen([whyNoUv()], 'the tests of the wheels');
const uv = findUv() ?? '';

let packages: TestPackages;
let registry: Registry;
let user: UserFolder;

beforeAll(async () => {
  if (isSkipped) return;
  packages = new TestPackages();
  registry = new Registry([], packages.wheels());
  user = new UserFolder({ UV_DEFAULT_INDEX: `${registry.url}/simple`, UV_PYTHON_DOWNLOADS: 'never' });
  writeFileSync(user.in('services.yaml'), 'services: {web: {command: sleep 1000}}\n');
  await user.must(uv, 'venv', '--python', '/usr/bin/python3', 'venv');
  await user.must(uv, 'pip', 'install', '--python', 'venv', 'svc-super');
});

afterAll(() => {
  user?.[Symbol.dispose]();
  registry?.[Symbol.dispose]();
  packages?.[Symbol.dispose]();
});

describe.skipIf(isSkipped)('uv pip install svc-super', () => {
  test('fetches the wheel of this platform only', () => {
    expect(new Set(registry.fetched)).toEqual(new Set([wheelOf(HOST, packages.version)]));
  });

  test('`svc-super check` and `python -m svc_super check` run', async () => {
    const stdout = `${user.path}/services.yaml: ok, 1 service\n`;
    for (const command of [['venv/bin/svc-super'], ['venv/bin/python', '-m', 'svc_super']])
      expect(await user.run(...command.map((word) => word.replace('venv', user.in('venv'))), 'check')).toEqual({
        code: 0,
        stdout,
        stderr: '',
      });
  });

  test('the version is that of the wheel', async () => {
    const { version, architecture, libc } = JSON.parse(
      await user.must(user.in('venv/bin/svc-super'), 'version', '--json'),
    );
    expect({ version, architecture, libc }).toEqual({
      version: packages.version,
      architecture: HOST.native,
      libc: HOST.libc,
    });
    expect(await user.must(uv, 'pip', 'list', '--python', 'venv')).toMatch(
      new RegExp(`^svc-super +${packages.version.replaceAll('.', '\\.')}$`, 'm'),
    );
  });

  test('services run, and the code is theirs', async () => {
    writeFileSync(user.in('seven.yaml'), 'services: {one: {command: echo hello; exit 7, ready: {log: hello}}}\n');
    const { code, stdout } = await user.run(user.in('venv/bin/svc-super'), 'up', '-f', 'seven.yaml');
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'one       | hello\n' });
  });

  test('the JSON Schema is in the module', async () => {
    const script = 'import svc_super, pathlib; print(pathlib.Path(svc_super.__file__).parent / "services.schema.json")';
    const path = (await user.must(user.in('venv/bin/python'), '-c', script)).trim();
    expect(readFileSync(path, 'utf8')).toBe(readFileSync('services.schema.json', 'utf8'));
  });

  test('`uvx svc-super check` runs without an installation', async () => {
    expect((await user.run(uv, 'tool', 'run', 'svc-super', 'check')).code).toBe(0);
  });

  test('uninstalling removes every file', async () => {
    await user.must(uv, 'pip', 'uninstall', '--python', 'venv', 'svc-super');
    const { stdout } = await user.run('find', 'venv', '-name', '*svc*super*');
    expect(stdout).toBe('');
  });
});

test.skipIf(isSkipped).each([
  ['x86_64-unknown-linux-musl', 'linux-x64-musl'],
  ['aarch64-manylinux2014', 'linux-arm64'],
  ['aarch64-unknown-linux-musl', 'linux-arm64-musl'],
])('for %s, uv installs the wheel of %s', async (target, name) => {
  await user.must(uv, 'pip', 'install', '--python-platform', target, '--target', name, 'svc-super');
  expect(registry.fetched).toContain(wheelOf(findPlatform(name), packages.version));
  expect(existsSync(user.in(`${name}/bin/svc-super`))).toBe(true);
});

test.skipIf(isSkipped)('wheels made twice are equal, byte for byte', () => {
  using again = new TestPackages();
  for (const platform of PLATFORMS) {
    if (platform === HOST) continue; // its supervisor would be compressed twice more
    const [first, second] = [packages, again].map(({ packing }) => readFileSync(makeWheel(platform, packing)));
    expect(second !== undefined && first?.equals(second)).toBe(true);
  }
});
