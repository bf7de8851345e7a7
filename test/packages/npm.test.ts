// The npm packages as a user installs them, from a registry of the test: one platform's package is fetched, the launcher
// runs its program, and codes and signals arrive unchanged.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { makeLauncherPackage, makePlatformPackage, npmFileOf, npmNameOf } from '../../scripts/release/npm.ts';
import { PLATFORMS } from '../../scripts/release/platforms.ts';
import { HOST, TestPackages } from '../helpers/packages.ts';
import { Registry, UserFolder } from '../helpers/registry.ts';

const GOOD = 'services: {web: {command: sleep 1000}}\n';
const BAD = 'services: {web: {comand: sleep 1000}}\n';

let packages: TestPackages;
let registry: Registry;
let user: UserFolder;

const userOf = () => new UserFolder({ npm_config_registry: registry.url, npm_config_audit: 'false' });

beforeAll(async () => {
  packages = new TestPackages();
  registry = new Registry(packages.npm());
  user = userOf();
  await user.must('npm', 'install', 'svc-super');
});

afterAll(() => {
  user[Symbol.dispose]();
  registry[Symbol.dispose]();
  packages[Symbol.dispose]();
});

describe('npm install svc-super', () => {
  test('fetches the launcher and the package of this platform only', () => {
    const wanted = ['svc-super', npmNameOf(HOST)].map((name) => npmFileOf(name, packages.version));
    expect([...registry.fetched].sort()).toEqual(wanted.sort());
  });

  test('`npx svc-super check` accepts a right file and reports the mistakes of a wrong one', async () => {
    writeFileSync(user.in('services.yaml'), GOOD);
    expect(await user.run('npx', 'svc-super', 'check')).toEqual({
      code: 0,
      stdout: './services.yaml: ok, 1 service\n'.replace('./', `${user.path}/`),
      stderr: '',
    });
    writeFileSync(user.in('bad.yaml'), BAD);
    const { code, stderr } = await user.run('npx', 'svc-super', 'check', 'services.yaml', 'bad.yaml');
    expect({ code, isNamed: stderr.includes('did you mean `command`?') }).toEqual({ code: 78, isNamed: true });
  });

  test('the version is that of the packages', async () => {
    const { version, architecture, libc } = JSON.parse(await user.must('npx', 'svc-super', 'version', '--json'));
    expect({ version, architecture, libc }).toEqual({
      version: packages.version,
      architecture: HOST.native,
      libc: HOST.libc,
    });
  });

  test('the JSON Schema is in the package, where its README says', () => {
    const path = 'node_modules/svc-super/services.schema.json';
    expect(readFileSync(user.in(path), 'utf8')).toBe(readFileSync('services.schema.json', 'utf8'));
    expect(readFileSync(user.in('node_modules/svc-super/README.md'), 'utf8')).toContain(path);
  });

  test('codes pass through the launcher', async () => {
    const launcher = user.in('node_modules/.bin/svc-super');
    const codeOf = async (script: string) => (await user.run(launcher, 'init', '--', 'sh', '-c', script)).code;
    expect([await codeOf('exit 5'), await codeOf('kill -KILL $$')]).toEqual([5, 137]);
  });

  test('SIGTERM to the launcher stops the services in order', async () => {
    const launcher = user.in('node_modules/.bin/svc-super');
    writeFileSync(
      user.in('long.yaml'),
      'services: {web: {command: exec sleep 1000, ready: {exec: echo ready > ready}}}\n',
    );
    const env = { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: user.in('socket') };
    const child = Bun.spawn([launcher, 'up', '-f', user.in('long.yaml')], { cwd: user.path, env, stderr: 'pipe' });
    while (!existsSync(user.in('ready')) && child.exitCode === null) await Bun.sleep(20);
    child.kill('SIGTERM');
    expect({ code: await child.exited, isStopped: (await child.stderr.text()).includes('web') }).toEqual({
      code: 0,
      isStopped: true,
    });
  });
});

test.each([
  ['arm64', 'glibc', 'linux-arm64'],
  ['x64', 'musl', 'linux-x64-musl'],
  ['arm64', 'musl', 'linux-arm64-musl'],
])('for %s with %s, npm installs %s', async (cpu, libc, name) => {
  using other = userOf();
  const before = registry.fetched.length;
  await other.must('npm', 'install', 'svc-super', `--cpu=${cpu}`, '--os=linux', `--libc=${libc}`);
  expect(registry.fetched.slice(before)).toContain(npmFileOf(`@svc-super/${name}`, packages.version));
  expect(existsSync(other.in(`node_modules/@svc-super/${name}/bin/svc-super`))).toBe(true);
  expect(existsSync(other.in(`node_modules/${npmNameOf(HOST)}`))).toBe(false);
});

test('without the package of the platform the launcher names the command that installs it', async () => {
  using other = userOf();
  await other.must('npm', 'install', 'svc-super', '--omit=optional');
  const { code, stdout, stderr } = await other.run('npx', 'svc-super', 'check');
  expect({ code, stdout }).toEqual({ code: 127, stdout: '' });
  expect(stderr).toStartWith(`svc-super: cannot find the package @svc-super/linux-${process.arch}: `);
  expect(stderr).toContain('`npm install --include=optional svc-super`');
});

test('packages made twice are equal, byte for byte', () => {
  using again = new TestPackages();
  // Those without a supervisor: it would be compressed four times.
  const others = PLATFORMS.filter((platform) => platform !== HOST);
  const make = ({ packing }: TestPackages) => [
    makeLauncherPackage(packing),
    ...others.map((platform) => makePlatformPackage(platform, packing)),
  ];
  const [first, second] = [make(packages), make(again)];
  for (const [index, file] of first.entries())
    expect(readFileSync(file).equals(readFileSync(second[index] ?? ''))).toBe(true);
});
