// On a terminal (docker run -t, a developer's shell): colours, Ctrl-C, and a terminal that disappears or is stopped with Ctrl-S.
// The terminal is a real one (a pty) whose other end is this test.
import { expect, test } from 'bun:test';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { childOf, holdNamespace } from '../helpers/namespaces.ts';
import { type Puppet, switchboard, within } from '../helpers/puppet.ts';
import { binary, isRoot, played, until, useRig } from '../helpers/rig.ts';

useRig();

interface Session extends AsyncDisposable {
  readonly terminal: Bun.Terminal;
  readonly ended: Promise<number>;
  text(): string;
  shows(pattern: RegExp): Promise<void>;
  puppet(role: string): Promise<Puppet>;
}

async function open(config: object, args: readonly string[] = []): Promise<Session> {
  const folder = join(switchboard().folder, `terminal-${Date.now()}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'services.yaml'), JSON.stringify(config));
  let text = '';
  const decoder = new TextDecoder();
  const child = Bun.spawn({
    cmd: [
      // unshare itself must outlive its terminal.
      ...['/bin/sh', '-c', 'trap "" HUP; exec "$0" "$@"'],
      ...['unshare', ...(isRoot ? [] : ['--user', '--map-root-user'])],
      ...['--pid', '--fork', '--mount-proc', '--kill-child', binary, ...args],
    ],
    cwd: folder,
    env: { PATH: process.env.PATH ?? '/bin', SVC_SUPER_SOCKET: join(folder, 'control.sock'), TERM: 'xterm-256color' },
    terminal: {
      data: (_terminal, data) => {
        text += decoder.decode(data, { stream: true });
      },
    },
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error('no terminal');
  const { ns, release } = await until('the namespace', () => holdNamespace(childOf(child.pid) ?? 0));
  return {
    terminal,
    ended: child.exited,
    text: () => text,
    shows: async (pattern) => {
      await until(
        `${pattern} on the terminal`,
        () => pattern.test(text) || child.exitCode !== null,
        () => text,
      );
      if (!pattern.test(text)) throw new Error(`ended without showing ${pattern}\n${text}`);
    },
    puppet: (role) => switchboard().claim(ns, role, null).found,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await child.exited;
      if (!terminal.closed) terminal.close();
      switchboard().forget(ns);
      release();
      rmSync(folder, { recursive: true });
    },
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
const COLOURED = /\x1b\[\d+ma +\| \x1b\[0mhello/;

test('on a terminal each service has its colour', async () => {
  await using session = await open({ services: { a: played(), b: played() } });
  await (await session.puppet('a')).print('hello');
  await session.shows(COLOURED);
});

test('Ctrl-C ends everything in order, with 0', async () => {
  await using session = await open({ services: { a: played(), b: played({ depends_on: ['a'] }) } });
  const [a, b] = [await session.puppet('a'), await session.puppet('b')];
  await Promise.all([a.trap('INT', 'TERM'), b.trap('INT', 'TERM')]);
  await session.shows(/b started/);
  session.terminal.write('\x03');
  await b.signalled('SIGTERM');
  expect(await a.caught()).toEqual([]);
  await b.exit(0);
  await a.signalled('SIGTERM');
  // The terminal signals neither of them: they are in their own sessions.
  expect([await a.caught(), b.signals]).toEqual([['SIGTERM'], ['SIGTERM']]);
  await a.exit(0);
  expect(await session.ended).toBe(0);
});

test('a terminal that disappears changes nothing for the services', async () => {
  await using session = await open({ services: { a: played() } });
  const a = await session.puppet('a');
  await session.shows(/a started/);
  await a.trap('HUP', 'TERM', 'CONT');
  session.terminal.close();
  await a.flood(5_000, 100, 1);
  expect(await a.caught()).toEqual([]);
  await a.exit(7);
  expect(await session.ended).toBe(7);
});

test('init: the command has the terminal, and receives Ctrl-C', async () => {
  await using session = await open({}, [
    'init',
    '--',
    '/bin/sh',
    '-c',
    'trap "echo caught; exit 4" INT; test -t 0 && echo a tty; while :; do sleep 0.01; done',
  ]);
  await session.shows(/a tty/);
  session.terminal.write('\x03');
  await session.shows(/caught/);
  expect(await within(session.ended, 'init to end', session.text)).toBe(4);
});
