// `svc-super top` on a real terminal (tmux): what it shows and does, and how it leaves the terminal after each kind of end.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { binary, command, played, type Run, up, useRig } from '../helpers/rig.ts';
import { skipWhen } from '../helpers/skip.ts';
import { Tmux, type TmuxOptions } from '../helpers/tmux.ts';

useRig();

function open(run: Run, { env = {}, ...options }: TmuxOptions = {}): Tmux {
  const tmux = new Tmux({ ...options, env: { SVC_SUPER_SOCKET: run.socket, TOP: `${binary} top`, ...env } });
  tmux.type('$TOP; echo "code $?"');
  return tmux;
}

/** The pid of the process that draws: the child of the native program. */
function drawer(run: Run): number {
  const found = readdirSync('/proc').find((pid) => {
    try {
      const isTop = readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`${binary}\0top\0`);
      return isTop && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SVC_SUPER_SOCKET=${run.socket}\0`);
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('top does not run');
  return Number(readFileSync(`/proc/${found}/task/${found}/children`, 'utf8'));
}

/** The shell has its terminal back: line editing, main screen, cursor, no mouse. */
async function expectRestored(tmux: Tmux, pattern: RegExp): Promise<void> {
  await tmux.shows(pattern);
  expect(tmux.format('#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{wrap_flag}')).toBe('0 1 0 1');
  tmux.type('stty -a | grep -qw -- -icanon || echo line-editing');
  await tmux.shows(/^line-editing$/m);
}

const SHOP = {
  stop_timeout: '2s',
  services: {
    db: played(),
    api: played({ depends_on: { db: { condition: 'ready', restart: true } } }),
    broken: played({ essential: false }),
  },
};

describe.skipIf(skipWhen([Bun.which('tmux') === null ? 'tmux is missing' : null], 'top on a terminal'))('top', () => {
  test('shows failing services first and logs, restarts after a question, and gives the terminal back', async () => {
    await using run = await up(SHOP);
    const [db, broken] = [await run.puppet('db'), await run.puppet('broken')];
    await run.puppet('api');
    await broken.exit(3);
    await run.state('broken', 'failed');
    await db.print('\x1b[2J\x1b]0;title\x07wel\x1b[31mcome');
    await using tmux = open(run);
    const screen = await tmux.shows(/✗ 1 failing/);
    expect(screen).toMatch(/^▸ ✗ broken +failed +exited with code 3/m);
    const row = screen.split('\n').findIndex((line) => line.includes('● db '));
    tmux.click(6, row);
    await tmux.shows(/^welcome$/m);
    tmux.keys('r');
    await tmux.shows(/api restarts together with it/);
    tmux.keys('Enter');
    await run.puppet('db', 2);
    expect((await run.service('api')).name).toBe('api');
    await tmux.shows(/requested restart: db/);
    tmux.keys('2');
    await tmux.shows(/└─ . api .*restarts with it/);
    tmux.resize(100, 30);
    // The title of the pane is as wide as the terminal.
    await tmux.shows(/^── 1 .{95}$/m);
    tmux.keys('q');
    await expectRestored(tmux, /code 0/);
  });

  test('outlives the supervisor: it shows that none responds, and the next one', async () => {
    await using run = await up({ services: { a: played() } }, { leaves: ['control.sock'] });
    await run.puppet('a');
    await using tmux = open(run, { env: { NO_COLOR: '1' } });
    await tmux.shows(/● a +running/);
    process.kill(run.supervisor.outer, 'SIGKILL');
    await tmux.shows(/the supervisor was restarted: it .*; the services continue/);
    run.signal('SIGKILL');
    await tmux.shows(/no supervisor has responded for/);
    tmux.keys('x');
    await tmux.shows(/nothing can be requested/);
    tmux.keys('C-c');
    await expectRestored(tmux, /code 0/);
  });

  test('is suspended and continued, and the terminal is restored after SIGTERM and after SIGKILL', async () => {
    await using run = await up({ services: { a: played() } });
    await run.puppet('a');
    await using tmux = open(run);
    await tmux.shows(/● a +running/);
    tmux.keys('C-z');
    await expectRestored(tmux, /Stopped/);
    tmux.type('clear; fg; echo "code $?"');
    await tmux.shows(/● a +running/);
    process.kill(drawer(run), 'SIGTERM');
    await expectRestored(tmux, /code 143/);
    tmux.type('clear; $TOP; echo "code $?"');
    await tmux.shows(/● a +running/);
    process.kill(drawer(run), 'SIGKILL');
    await expectRestored(tmux, /top was ended by signal 9; the services run on\s+code 137/);
  });
});

test('without a terminal that can show it, it says so and what works instead', async () => {
  const { code, stderr } = await command(['top', '--socket', '/nonexistent']);
  expect(code).toBe(64);
  expect(stderr).toMatch(/needs a terminal.*status --watch/);
  await using tmux = new Tmux({ columns: 200, env: { TERM: 'dumb' } });
  tmux.type(`TERM=dumb ${binary} top; echo "code $?"`);
  await tmux.shows(/TERM is dumb.*\s+code 64/);
});
