// install.sh against a real release on a local HTTP server: what it installs, and that a failure leaves nothing behind.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readVersion } from '../../scripts/release/version.ts';
import { must, run } from '../helpers/container-tools.ts';
import { HERE, makeFolder, makeRelease, serveFolder } from '../helpers/release.ts';

const version = readVersion();
const folder = makeFolder();
const served = join(folder.path, 'served');
const script = join(served, `v${version}/install.sh`);
const asset = `svc-super-${version}-${HERE}.tar.gz`;
let count = 0;
const destination = () => join(folder.path, `to-${count++}`);

beforeAll(async () => {
  mkdirSync(served);
  await makeRelease(join(folder.path, 'release'), ['--platforms', HERE, '--steps', 'trees,archives,texts,sums']);
  renameSync(join(folder.path, 'release'), join(served, `v${version}`));
}, 120_000);
afterAll(() => folder.remove());

/** Everything below a folder, sorted. */
const below = (path: string) =>
  existsSync(path) ? (readdirSync(path, { recursive: true }) as string[]).filter((name) => /\./.test(name)) : [];

async function install(to: string, change?: Parameters<typeof serveFolder>[1], wrap: readonly string[] = []) {
  const server = serveFolder(served, change);
  try {
    return await run([...wrap, 'sh', script, '--to', to, '--url', server.url]);
  } finally {
    server.stop();
  }
}

describe('install.sh', () => {
  test('is POSIX sh of at most 60 lines', async () => {
    expect(readFileSync(script, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(60);
    expect(readFileSync(script, 'utf8')).toContain(`\nversion=${version}\n`);
    if (Bun.which('dash') !== null) await must(['dash', '-n', script]);
  });

  test('--help names every option and installs nothing', async () => {
    const { code, stdout } = await run(['sh', script, '--help']);
    expect(code).toBe(0);
    for (const option of ['--version', '--to', '--url']) expect(stdout).toContain(option);
  });

  test('installs both programs and the other files, and the result runs', async () => {
    const to = destination();
    const { code, stdout, stderr } = await install(to);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `installed svc-super ${version}: ${to}/bin/svc-super\n`,
      stderr: '',
    });
    expect(readdirSync(to).sort()).toEqual(['bin', 'share']);
    expect(readdirSync(join(to, 'share/svc-super')).sort()).toEqual([
      'LICENSE',
      'THIRD_PARTY_LICENSES',
      'services.schema.json',
    ]);
    expect(await must([join(to, 'bin/svc-super'), 'version'])).toBe(`svc-super ${version}`);
    // Again, over an existing installation.
    expect((await install(to)).code).toBe(0);
  });

  test('refuses an archive whose checksum is wrong', async () => {
    const to = destination();
    const broken = await install(to, (path, bytes) =>
      path.endsWith(asset) ? Uint8Array.of(...bytes.subarray(0, 99), 0) : bytes,
    );
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(
      /^install\.sh: .* has the SHA-256 [0-9a-f]{64}, SHA256SUMS has [0-9a-f]{64}: nothing/,
    );
    expect(readdirSync(to, { recursive: true }).sort()).toEqual(['bin', 'share']);
  });

  test('refuses an archive that SHA256SUMS does not name', async () => {
    const to = destination();
    const without = await install(to, (path, bytes) =>
      path.endsWith('SHA256SUMS') ? new TextEncoder().encode('') : bytes,
    );
    expect(without.code).toBe(1);
    expect(without.stderr).toContain('SHA256SUMS has no such file: nothing is installed');
    expect(below(to)).toEqual([]);
  });

  test('reports a missing asset', async () => {
    const to = destination();
    const missing = await install(to, (path, bytes) => (path.endsWith(asset) ? null : bytes));
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain(`install.sh: cannot download http://127.0.0.1`);
    expect(missing.stderr).toContain(asset);
    expect(below(to)).toEqual([]);
  });

  test('an existing installation stays as it is if the new one fails', async () => {
    const to = destination();
    mkdirSync(join(to, 'bin'), { recursive: true });
    writeFileSync(join(to, 'bin/svc-super'), 'the one before');
    expect((await install(to, (path, bytes) => (path.endsWith(asset) ? null : bytes))).code).toBe(1);
    expect(readFileSync(join(to, 'bin/svc-super'), 'utf8')).toBe('the one before');
    expect(readdirSync(to).sort()).toEqual(['bin', 'share']);
  });

  test('reports a read-only destination', async () => {
    const to = destination();
    mkdirSync(to);
    // A read-only mount holds for root too.
    const mount = `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"`;
    const readOnly = await install(to, undefined, ['unshare', '--mount', 'sh', '-c', mount, 'sh', to]);
    expect(readOnly.code).toBe(1);
    expect(readOnly.stderr).toBe(`install.sh: cannot write to ${to}: run as root, or choose a folder with --to\n`);
    expect(readdirSync(to)).toEqual([]);
  });

  test.each([
    [['--to'], '--to needs a value'],
    [['--nonsense'], 'there is no option --nonsense'],
  ])('%p is an error', async (options, message) => {
    const { code, stderr } = await run(['sh', script, ...options]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
