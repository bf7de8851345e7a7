// What every build of a release must do on its platform, as PID 1 of a namespace: start, gate, clean up, stop, exit codes,
// commands, a new supervisor, and `init`. Services are scripts for any POSIX shell.
import { expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../scripts/release/platforms.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { type Ran, runProgram } from '../helpers/ran.ts';

/** Where a build runs. */
export interface Place {
  readonly platform: Platform;
  /** A folder, as the test and as the build see it. */
  readonly folder: { readonly outside: string; readonly inside: string };
  /** Words that execute the build's `svc-super` as PID 1. */
  readonly pid1: readonly string[];
  /** The same within a script of a service. */
  readonly command: string;
}

/** An emulator needs a second for each start. */
const PATIENCE = 60_000;

function run({ pid1 }: Place, args: readonly string[]): Promise<Ran> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin' };
  return runProgram([...pid1, ...args], { env, timeout: PATIENCE });
}

async function up(place: Place, services: object, top: object = {}): Promise<Ran> {
  const name = `services-${Math.random().toString(36).slice(2)}.yaml`;
  const file = join(place.folder.outside, name);
  writeFileSync(file, JSON.stringify({ name: 'smoke', ...top, services }));
  try {
    return await run(place, ['up', '-f', `${place.folder.inside}/${name}`]);
  } finally {
    rmSync(file);
  }
}

/** Runs until it is stopped. */
const FOREVER = 'while :; do sleep 0.1; done';

function testStart(place: () => Place): void {
  test('it starts services in order, passes their output on, and ends with the first code', async () => {
    const { code, stdout } = await up(place(), {
      db: { command: 'sleep 0.3; echo up; exec sleep 1000', ready: { log: '^up$' } },
      web: { command: 'echo web; exit 7', depends_on: { db: 'ready' }, ready: { log: 'web' } },
    });
    expect({ code, stdout }).toEqual({ code: 7, stdout: 'db        | up\nweb       | web\n' });
  });

  test('the code is that of the signal, of a program that is missing, and of a wrong file', async () => {
    const here = place();
    expect((await up(here, { a: { command: 'kill -KILL $$' } })).code).toBe(137);
    expect((await up(here, { a: { command: ['/no/such/program'] } })).code).toBe(127);
    const wrong = await up(here, { a: { comand: 'true' } });
    expect({ code: wrong.code, isNear: wrong.stderr.includes('did you mean `command`?') }).toEqual({
      code: 78,
      isNear: true,
    });
  });
}

function testStop(place: () => Place): void {
  test('leftover processes are found and ended', async () => {
    const { code, stderr } = await up(place(), {
      a: { command: 'setsid sleep 4321 & sleep 0.3; exit 3', ready: { exec: 'true' } },
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/cleaned up 1 .*sleep \(pid \d+\)/);
  });

  test('SIGTERM stops dependents first, within the deadline', async () => {
    const { code, stdout } = await up(place(), {
      db: { command: `trap 'echo db stops; exit 0' TERM; echo up; ${FOREVER}`, ready: { log: 'up' } },
      web: {
        command: `trap 'echo web stops; exit 0' TERM; kill -TERM 1; ${FOREVER}`,
        depends_on: { db: 'ready' },
      },
    });
    const stops = stdout.split('\n').filter((line) => line.endsWith('stops'));
    expect({ code, stops }).toEqual({ code: 0, stops: ['web       | web stops', 'db        | db stops'] });
  });

  test('what ignores the stop signal is killed at the deadline, and the code is 137', async () => {
    const a = { command: `trap '' TERM; kill -TERM 1; ${FOREVER}` };
    expect((await up(place(), { a }, { stop_timeout: '1s' })).code).toBe(137);
  });
}

/** PID 1's first child. */
const KILL_SUPERVISOR = 'read -r first rest < /proc/1/task/1/children; kill -KILL $first';

function testSupervisor(place: () => Place): void {
  test('`status` answers inside, and a killed supervisor is replaced while the service runs on', async () => {
    const here = place();
    const isReady = `until ${here.command} status a > /dev/null; do sleep 0.2; done`;
    const { code, stdout, stderr } = await up(here, {
      a: {
        command: `echo up; ${isReady}; ${KILL_SUPERVISOR}; ${isReady}; ${here.command} status; exit 9`,
        ready: { log: '^up$' },
      },
    });
    expect({ code, stderr: stderr.match(/supervisor/g) !== null }).toEqual({ code: 9, stderr: true });
    expect(stdout).toMatch(/^a +\| a +ready +\d+ /m);
  });

  test('`version --json` reports this platform', async () => {
    const { code, stdout } = await run(place(), ['version', '--json']);
    const { version, architecture, libc } = JSON.parse(stdout);
    expect({ code, version, architecture, libc }).toEqual({
      code: 0,
      version: readVersion(),
      architecture: place().platform.native,
      libc: place().platform.libc,
    });
  });
}

function testInit(place: () => Place): void {
  test('`init` returns the code of its command, passes signals and reaps orphans', async () => {
    const codeOf = async (script: string) => (await run(place(), ['init', '--', 'sh', '-c', script])).code;
    expect(await codeOf('exit 5')).toBe(5);
    expect(await codeOf('kill -TERM $$')).toBe(143);
    expect(await codeOf(`trap 'exit 6' USR1; kill -USR1 1; ${FOREVER}`)).toBe(6);
    const orphan =
      'setsid sh -c "sleep 0.1 & exit" & sleep 0.6; for p in /proc/[0-9]*; do read -r l < $p/stat; case $l in *") Z "*) exit 8;; esac; done; exit 4';
    expect(await codeOf(orphan)).toBe(4);
  });
}

/** Declares the tests. `place` is called when they run. */
export function smoke(place: () => Place): void {
  testStart(place);
  testStop(place);
  testSupervisor(place);
  testInit(place);
}
