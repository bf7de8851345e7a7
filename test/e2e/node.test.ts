// The bundle for Node as installed: `node` is found on PATH, ignores variables of the container, prints nothing itself, and a Node
// that is too old is reported. And the same bundle on an installed Bun. All other tests of this folder run on both too
// (`npm run test:node`).
import { describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUNDLE, findNode, installBundle, whyNoNode } from '../helpers/node.ts';
import { skipWhen } from '../helpers/skip.ts';

const isSkipped = skipWhen([whyNoNode()], 'the tests of the bundle for Node');

/** Bytes of both files. */
const MOST = 3_000_000;
const folder = join(process.env.TMPDIR ?? '/tmp', `svc-super-node-${process.pid}`);

function run(services: object, env: Readonly<Record<string, string>>, native = join(BUNDLE, 'svc-super')) {
  const config = join(folder, 'services.yaml');
  mkdirSync(folder, { recursive: true });
  writeFileSync(config, JSON.stringify({ services }));
  const { exitCode, stdout, stderr } = Bun.spawnSync([native, 'up', '-f', config], {
    cwd: folder,
    env: { SVC_SUPER_SOCKET: join(folder, 'control.sock'), ...env },
    timeout: 30_000,
  });
  Bun.spawnSync(['rm', '-rf', folder]);
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

describe.skipIf(isSkipped)('the bundle for Node', () => {
  const PATH = `${dirname(findNode() ?? '/')}:/usr/bin:/bin`;

  test('finds node on PATH, runs services and exits with their code', () => {
    const one = { command: 'echo hello; exit 7', ready: { log: 'hello' } };
    const { code, stdout, stderr } = run({ one }, { PATH });
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'one       | hello\n' });
    const lines = stderr.trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('svc-super | '))).toEqual([]);
  });

  test('ignores variables for Node in the container, and the service receives each of them', () => {
    const evil = {
      NODE_OPTIONS: '--require=/no/such/file.js --inspect',
      NODE_V8_COVERAGE: 'coverage',
      NODE_DEBUG: 'net,http,module',
      NODE_DEBUG_NATIVE: 'HTTP2',
      NODE_PENDING_DEPRECATION: '1',
      NODE_REPL_EXTERNAL_MODULE: '/no/such/file.js',
    };
    const names = Object.keys(evil);
    const one = { command: `env | grep -c '^\\(${names.join('\\|')}\\)='`, ready: { log: '^6$' } };
    const { code, stdout, stderr } = run({ one }, { PATH, ...evil });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `one       | ${names.length}\n` });
    expect(stderr).not.toMatch(/Debugger|Warning|NET|HTTP|MODULE/);
  });

  test('a Node that is too old is reported with a suggestion, and nothing is started', () => {
    const old = '20.1.0';
    const text = readFileSync(join(BUNDLE, 'svc-super-supervisor'), 'utf8');
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    // A Node with another version number runs the same script.
    mkdirSync(join(folder, 'bin'), { recursive: true });
    const preload = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${old}"})`;
    writeFileSync(join(folder, 'bin/node'), `#!/bin/sh\nexec ${findNode()} --import '${preload}' "$@"\n`, {
      mode: 0o755,
    });
    const { code, stdout, stderr } = run({ one: { command: 'echo started' } }, { PATH: `${folder}/bin:${PATH}` });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(
      /^svc-super: svc-super-supervisor needs Node 22\.3 or later: the `node` found on PATH \(\S+\) is 20\.1\.0\. /,
    );
  });

  test('both files are small', () => {
    const sizeOf = (name: string) => statSync(join(BUNDLE, name)).size;
    expect(sizeOf('svc-super') + sizeOf('svc-super-supervisor')).toBeLessThan(MOST);
  });
});

describe('the bundle for Bun', () => {
  test('runs services, and executes nothing that the working directory names', () => {
    const installed = installBundle(join(folder, 'bin'), process.execPath, 'bun');
    const evil = 'require("node:fs").writeFileSync("ran", "")';
    for (const [name, text] of Object.entries({
      'bunfig.toml': 'preload = ["./evil.js"]\n',
      'evil.js': evil,
      '.env': 'INJECTED=1\n',
    }))
      writeFileSync(join(folder, name), text);
    const one = { command: 'echo "hello $INJECTED"; ls ran; exit 7', ready: { log: 'hello' } };
    const { code, stdout } = run({ one }, { PATH: '/usr/bin:/bin' }, installed);
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'one       | hello \n' });
  });
});
