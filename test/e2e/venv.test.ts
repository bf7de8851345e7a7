// A service with a virtual environment: its program, its shell commands, its probes, its stop command and `exec` find its programs
// first. The environment is a simulated folder, and once a real one if Python can create it.
import { expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, puppetShell, up, useRig } from '../helpers/rig.ts';

useRig();

/** A folder with programs in its bin: `python` and a few that print their paths. */
class MadeUp implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'svc-super-venv-'));

  constructor(programs: Readonly<Record<string, string>>) {
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, 'bin'));
    for (const [name, text] of Object.entries({ python: 'exit 0', ...programs })) {
      const path = join(this.folder, 'bin', name);
      writeFileSync(path, `#!/bin/sh\n${text}\n`);
      chmodSync(path, 0o755);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test('a program, a shell, a probe, the stop command and exec find the programs in its bin', async () => {
  using venv = new MadeUp({
    serve: `echo "serving from $VIRTUAL_ENV"; exec ${puppetShell}`,
    'is-ready': 'exit 0',
    'say-stop': 'echo stopping; kill -TERM "$1"',
  });
  const fields = { venv: venv.folder, ready: { exec: ['is-ready'] } };
  await using run = await up(
    {
      services: {
        list: { command: ['serve'], ...fields, stop: { command: 'say-stop $(cat pid)' } },
        text: { command: 'exec serve', ...fields },
      },
    },
    { leaves: ['pid'], env: { PYTHONHOME: '/nowhere' } },
  );
  const list = await run.puppet('list');
  await run.puppet('text');
  for (const name of ['list', 'text']) {
    await run.line(new RegExp(`^${name} +\\| serving from ${venv.folder}$`));
    await run.state(name, 'ready');
  }
  expect((await list.facts()).env).not.toHaveProperty('PYTHONHOME');
  expect((await run.command('exec', 'list', '--', 'sh', '-c', 'command -v serve')).stdout).toBe(
    `${venv.folder}/bin/serve\n`,
  );
  writeFileSync(join(run.folder, 'pid'), `${list.pid}`);
  expect((await run.command('stop', 'list', '--wait')).code).toBe(0);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a missing one is reported by check --build too', async () => {
  using venv = new MadeUp({});
  const file = join(venv.folder, 'services.yaml');
  writeFileSync(file, 'services: { a: { command: [serve], venv: nowhere } }\n');
  const { code, stderr } = await command(['check', '--build', '-f', file]);
  expect([code, stderr]).toEqual([78, expect.stringContaining(`there is no folder ${venv.folder}/nowhere`)]);
});

test.skipIf(Bun.which('python3') === null)('a real one runs its own Python', async () => {
  using venv = new MadeUp({});
  const folder = join(venv.folder, 'real');
  const made = Bun.spawnSync(['python3', '-m', 'venv', '--without-pip', folder]);
  expect([made.exitCode, existsSync(join(folder, 'pyvenv.cfg'))]).toEqual([0, true]);
  const program = 'import sys; print("prefix", sys.prefix)';
  await using run = await up({
    exit: 'all',
    services: { a: { type: 'task', command: ['python', '-c', program], venv: folder } },
  });
  await run.line(new RegExp(`^a +\\| prefix ${folder}$`));
  await run.ends(0);
});
