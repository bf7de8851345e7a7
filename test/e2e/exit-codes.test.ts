// The container's exit code for every exit of one service: all 256 codes, all signals, and codes that the configuration defines as
// success. Real PID 1 each time; endings.test.ts tests several services.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, isRoot, played, up, useRig } from '../helpers/rig.ts';

useRig();

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'svc-e2e-codes-'));
  // Text for the shell, which expands $DO.
  writeFileSync(join(folder, 'services.yaml'), 'services: { a: { command: eval "$DO" } }\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a container whose one service executes this in /bin/sh; its exit code. */
async function codeOf(shell: string): Promise<number | null> {
  const user = isRoot ? [] : ['--user', '--map-root-user'];
  const child = Bun.spawn(['unshare', ...user, '--pid', '--fork', '--mount-proc', '--kill-child', binary], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '/bin', DO: shell, SVC_SUPER_SOCKET: join(folder, `${Bun.hash(shell)}.sock`) },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const code = await child.exited;
  return child.signalCode === null ? code : null;
}

/** All of them, a few at a time. */
async function codesOf(shells: readonly string[]): Promise<(number | null)[]> {
  const codes: (number | null)[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < shells.length; at = next++) codes[at] = await codeOf(shells[at] ?? '');
  };
  await Promise.all([work(), work(), work(), work()]);
  return codes;
}

test('each of the 256 exit codes of a service is the code of the container', async () => {
  const all = Array.from({ length: 256 }, (_, code) => code);
  expect(await codesOf(all.map((code) => `exit ${code}`))).toEqual(all);
});

test('a service that dies of a signal gives 128+n, for every fatal signal', async () => {
  // By default these are ignored, or stop a process.
  const harmless = new Set(['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU']);
  const named = Object.entries(constants.signals).flatMap(([name, number]) => (harmless.has(name) ? [] : [number]));
  const signals = [...new Set(named)];
  expect(signals.length).toBeGreaterThan(20);
  expect(await codesOf(signals.map((number) => `kill -${number} $$`))).toEqual(signals.map((number) => 128 + number));
});

test('a service that dies of a real-time signal gives 128+n too', async () => {
  const signals = Array.from({ length: 64 - 34 + 1 }, (_, index) => 34 + index);
  expect(await codesOf(signals.map((number) => `kill -${number} $$`))).toEqual(signals.map((number) => 128 + number));
});

test('the message names the fatal signal, real-time ones by their offset', async () => {
  await using run = await up({ services: { a: played() } });
  await (await run.puppet('a')).die(37);
  await run.ends(128 + 37);
  await run.line(/a was killed by SIGRTMIN\+3 after/);
});

test('a code listed in success_codes is 0', async () => {
  await using run = await up({ services: { a: played({ success_codes: [3, 143] }) } });
  await (await run.puppet('a')).exit(3);
  await run.ends(0);
});

test('a signal counts in success_codes as 128+n', async () => {
  await using run = await up({ services: { a: played({ success_codes: [3, 143] }) } });
  await (await run.puppet('a')).die(15);
  await run.ends(0);
});

test('an exit with 0 that success_codes does not list gives 1, and is explained', async () => {
  await using run = await up({ services: { a: played({ success_codes: [] }) } });
  await (await run.puppet('a')).exit(0);
  await run.ends(1);
  await run.line(/a exited with code 0, which is not a success here/);
});

test('an unlisted code is kept if others are listed', async () => {
  await using run = await up({ services: { a: played({ success_codes: [3] }) } });
  await (await run.puppet('a')).exit(4);
  await run.ends(4);
});

test('below another init the code is the same', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  await (await run.puppet('a')).exit(42);
  await run.ends(42);
});

test('below another init a signal makes 128+n too', async () => {
  await using run = await up({ services: { a: played() } }, { pid1: false });
  await (await run.puppet('a')).die(9);
  await run.ends(137);
});

test('an essential service that can never start ends the container with the code of its dependency', async () => {
  const services = {
    db: played({ essential: false }),
    web: { command: ['/bin/true'], depends_on: { db: 'completed' } },
    other: played(),
  };
  await using run = await up({ services });
  const [db, other] = [await run.puppet('db'), await run.puppet('other')];
  await db.exit(7);
  await other.gone;
  await run.ends(7);
  await run.line(/web never starts: db exited with code 7 after/);
  await run.line(/stopping everything: web can never start, and it is essential/);
});

test('one that depends on a disabled service ends it with 1, without a spawn', async () => {
  const services = {
    db: { command: ['/bin/true'], enabled: false },
    web: { command: ['/bin/true'], depends_on: ['db'] },
    other: { command: ['/bin/echo', 'was started'] },
  };
  await using run = await up({ services });
  await run.ends(1);
  await run.line(/web never starts: db is not enabled/);
  expect(run.output.text()).not.toContain('was started');
});
