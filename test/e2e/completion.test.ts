// The completion scripts in real shells, which ask the real binary for names: of the running supervisor, else of the configuration.
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHELLS } from '../../src/cli/completion-scripts.ts';
import { completeIn } from '../helpers/completion.ts';
import { played, up, useRig } from '../helpers/rig.ts';
import { noPrograms, skipWhen } from '../helpers/skip.ts';

useRig();

const folder = mkdtempSync(join(tmpdir(), 'svc-super-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each line is completed with; without a supervisor. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  'svc-super st': ['start', 'status', 'stop'],
  'svc-super wait --ti': ['--timeout'],
  'svc-super help st': ['start', 'status', 'stop'],
  'svc-super start ': ['db', 'shell', 'web'],
  'svc-super logs -f w': ['web'],
  'svc-super logs --socket /x w': ['web'],
  'svc-super logs -n ': [],
  'svc-super start --group ': ['backend', 'front'],
  'svc-super start -g b': ['backend'],
  'svc-super start --group=b': ['backend'],
  'svc-super wait --for ': ['ready', 'stopped'],
  'svc-super signal US': ['USR1', 'USR2'],
  'svc-super signal --socket=/x US': ['USR1', 'USR2'],
  'svc-super signal USR1 ': ['db', 'shell', 'web'],
  'svc-super scale d': ['db='],
  'svc-super exec ': ['db', 'shell', 'web'],
  'svc-super exec db -- ': [],
  'svc-super completion ': ['bash', 'fish', 'zsh'],
  'svc-super import comp': ['compose'],
  'svc-super import compose o': ['other.yaml'],
  'svc-super check o': ['other.yaml'],
  'svc-super check -f o': ['other.yaml'],
  'svc-super up --profile ': ['debug', 'gpu'],
  // A name in place of a service is no command.
  'svc-super start up': [],
  'svc-super help start --j': [],
  // `up` may be left out before its flags.
  'svc-super -f o': ['other.yaml'],
  'svc-super --prof': ['--profile'],
  'svc-super --vers': ['--version'],
  'svc-super --profile d': ['debug'],
  'svc-super -f other.yaml ': ['other'],
  'svc-super up --file=other.yaml ': ['other'],
  'svc-super check -f other.yaml --profile ': ['op'],
};

/** What each line is completed with while a supervisor runs other services. */
const RUNNING: Readonly<Record<string, readonly string[]>> = {
  'svc-super restart ': ['job', 'pool', 'pool.0', 'pool.1'],
  'svc-super stop --group ': ['workers'],
  'svc-super scale ': ['job=', 'pool='],
  // The services to start, and profiles, are those of the configuration.
  'svc-super up ': ['db', 'shell', 'web'],
  'svc-super up --profile d': ['debug'],
};

/** `--group=backend` in fish is `backend` in the others. */
const withoutFlag = (words: readonly string[]) => words.map((word) => word.replace(/^--[a-z]+=(?=.)/, ''));

describe.skipIf(skipWhen(noPrograms('zsh', 'fish'), 'completion in zsh and fish'))('completion', () => {
  test('in every shell: commands, flags, their values, names of the configuration and of the supervisor', async () => {
    writeFileSync(
      join(folder, 'services.yaml'),
      `services:
  db: {command: a, group: backend, replicas: 2}
  web: {command: b, group: front, depends_on: [db]}
  shell: {command: c, profiles: [debug, gpu]}
`,
    );
    writeFileSync(join(folder, 'other.yaml'), 'services: {other: {command: a, profiles: [op]}}\n');
    const services = { job: played(), pool: played({ group: 'workers', replicas: 2 }) };
    await using run = await up({ services });
    for (const shell of SHELLS) {
      for (const [expected, socket] of [[LINES, join(folder, 'none')] as const, [RUNNING, run.socket] as const]) {
        const lines = Object.keys(expected);
        const setup = { home: join(folder, shell), cwd: folder, env: { SVC_SUPER_SOCKET: socket } };
        const offered = await completeIn(shell, lines, setup);
        const found = lines.map((line, at) => [line, withoutFlag(offered[at] ?? [])]);
        expect([shell, Object.fromEntries(found)]).toEqual([shell, expected]);
      }
    }
  });
});
