// `svc-super exec`: a command with a service's environment, user and folder. It receives the caller's standard input; on a
// terminal it has its own terminal, with job control. Run inside the namespace, as with `docker exec`.
import { expect, test } from 'bun:test';
import { binary, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const LIMIT = 20_000;

/** A command line in the run's namespaces, as typed by a user who has entered the container. */
const inside = (run: Run, ...command: string[]) => [
  ...['nsenter', '--target', String(run.outerPid), '--pid', '--mount', '--wd', '--'],
  ...['env', `SVC_SUPER_SOCKET=${run.socket}`, ...command],
];

async function pipe(run: Run, input: string | Blob, ...args: string[]) {
  const child = Bun.spawn(inside(run, binary, 'exec', ...args), {
    stdin: typeof input === 'string' ? Buffer.from(input) : input,
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

test('standard input is passed on to its end, and the code is the command’s', async () => {
  await using run = await up({ services: { db: played({ env: { NAME: 'db' } }) } });
  await run.puppet('db');
  const large = 'x'.repeat(3_000_000);
  const shell = (text: string) => ['db', '--', '/bin/sh', '-c', text];
  expect(await pipe(run, 'select 1\n', ...shell('cat; echo "$NAME"; exit 7'))).toEqual({
    stdout: 'select 1\ndb\n',
    stderr: '',
    code: 7,
  });
  expect((await pipe(run, large, 'db', '--', 'wc', '-c')).stdout).toBe('3000000\n');
  expect(await pipe(run, '', ...shell('cat; echo over >&2'))).toEqual({ stdout: '', stderr: 'over\n', code: 0 });
});

test('a file as standard input is read from its current position', async () => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  expect((await pipe(run, Bun.file(`${run.folder}/services.yaml`), 'db', '--', 'wc', '-c')).stdout).toMatch(
    /^[1-9]\d*\n$/,
  );
});

test('from another PID namespace standard input is refused, not dropped', async () => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  const child = Bun.spawn([binary, 'exec', 'db', '--', 'cat'], {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SVC_SUPER_SOCKET: run.socket },
    stdin: Buffer.from('select 1\n'),
    stderr: 'pipe',
  });
  expect(await child.stderr.text()).toContain('run this in the container, or with < /dev/null');
  expect(await child.exited).toBe(1);
  expect(await run.command('exec', 'db', '--', 'echo', 'ok')).toMatchObject({ code: 0, stdout: 'ok\n' });
});

/** A command on a terminal of its own, inside the run's namespaces. */
function onTerminal(run: Run, ...command: string[]) {
  let text = '';
  let wanted: { readonly pattern: RegExp; readonly found: () => void } = { pattern: /$^/, found: () => undefined };
  const child = Bun.spawn(inside(run, 'TERM=xterm', ...command), {
    terminal: {
      cols: 91,
      rows: 33,
      data: (_terminal: unknown, data: Uint8Array) => {
        text += Buffer.from(data).toString();
        if (wanted.pattern.test(text)) wanted.found();
      },
    },
  } as never);
  const { terminal } = child as unknown as {
    terminal: { write(text: string): void; resize(c: number, r: number): void };
  };
  /** Waits for the pattern, and forgets what was shown up to its end. */
  const shows = async (pattern: RegExp): Promise<RegExpExecArray | null> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`waited for ${pattern}:\n${JSON.stringify(text)}`)), LIMIT);
    wanted = { pattern, found: resolve };
    if (pattern.test(text)) resolve();
    await promise;
    clearTimeout(timer);
    const found = pattern.exec(text);
    // What follows may have come in the same piece.
    text = text.slice((found?.index ?? 0) + (found?.[0].length ?? 0));
    return found;
  };
  return { child, terminal, shows };
}

test('on a terminal the command has its own: Ctrl-C, job control, window size, TERM', async () => {
  await using run = await up({ services: { db: played() } });
  const service = await run.puppet('db');
  await service.trap('INT', 'TSTP', 'WINCH', 'HUP');
  const { child, terminal, shows } = onTerminal(run, binary, 'exec', 'db', '--', 'bash', '--norc');
  // Patterns end with the prompt: a shell discards input that arrives while it handles Ctrl-C.
  await shows(/[$#] $/);
  terminal.write('echo "<$TERM $(stty size) $(tty)>"\n');
  await shows(/<xterm 33 91 \/dev\/pts\/\d+>[\s\S]*[$#] $/);
  // The word differs from the input: the program has started, and the terminal is its own.
  terminal.write(`sh -c 'echo beg""un; exec sleep 1000'\n`);
  await shows(/begun/);
  terminal.write('\x03');
  await shows(/\^C[\s\S]*[$#] $/);
  terminal.write('sleep 1000 & jobs\n');
  await shows(/Running +sleep 1000[\s\S]*[$#] $/);
  terminal.write(`sh -c 'echo beg""un again; read word; echo "read <$word>"; exec sleep 2000'\n`);
  await shows(/begun again/);
  terminal.write('\x1a');
  await shows(/Stopped +sh -c[\s\S]*[$#] $/);
  terminal.write('fg\n');
  await shows(/sh -c/);
  terminal.write('word\n');
  await shows(/read <word>/);
  terminal.write('\x1a');
  await shows(/Stopped +sh -c[\s\S]*[$#] $/);
  terminal.resize(100, 40);
  terminal.write('kill -9 %1 %2; stty size\n');
  await shows(/40 100[\s\S]*[$#] $/);
  terminal.write('exit 7\n');
  if ((await Promise.race([child.exited, shows(/stopped jobs|Killed/).then(() => null)])) === null)
    terminal.write('exit 7\n');
  expect(await child.exited).toBe(7);
  expect(await service.caught()).toEqual([]);
});

/** Repeats the settings of the terminal until they are those from before the command. */
const RESTORED = `
  before=$(stty -g)
  sh -c 'echo "client <$$>"; exec "$0" "$@"' "$@"
  echo "code <$?>"
  until [ "$(stty -g)" = "$before" ]; do sleep 0.01; done
  echo restored`;

test.each<[string, string, string]>([
  ['exits', 'kill -9 $$', '137'],
  ['is refused, because there is no such service', '', '1'],
  ['loses its client to SIGKILL', 'client', '137'],
  ['loses its client to SIGTERM', 'client TERM', '143'],
  ['loses the supervisor', 'supervisor', '69'],
])('the terminal is restored when the command %s', async (_title, how, code) => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  // The command itself changes its own terminal, never the user's.
  const command = [
    '/bin/sh',
    '-c',
    `stty raw -echo; echo "command <$$>"; ${how.startsWith('kill') ? how : 'exec sleep 999'}`,
  ];
  const name = how === '' ? 'no-such' : 'db';
  const { child, shows } = onTerminal(run, '/bin/sh', '-c', RESTORED, 'sh', binary, 'exec', name, '--', ...command);
  const client = (await shows(/client <(\d+)>/))?.[1] ?? '';
  if (how !== '') {
    const pid = Number((await shows(/command <(\d+)>/))?.[1]);
    if (how.startsWith('client')) {
      const signal = how === 'client' ? 'KILL' : 'TERM';
      expect(await Bun.spawn(inside(run, '/bin/kill', `-${signal}`, client)).exited).toBe(0);
    }
    if (how === 'supervisor') process.kill(run.supervisor.outer, 'SIGKILL');
    await shows(new RegExp(`code <${code}>[\\s\\S]*restored\r\n`));
    await until('the command to end', () => run.find(pid) === undefined);
  } else await shows(/there is no service no-such[^\r\n]*\r\n[\s\S]*code <1>[\s\S]*restored\r\n/);
  expect(await child.exited).toBe(0);
});

test('a client that is stopped gives the terminal back, and takes it again in the foreground', async () => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  const script = `
    set -m
    before=$(stty -g)
    sh -c 'echo "client <$$>"; exec "$0" "$@"' "$@"
    [ "$(stty -g)" = "$before" ] && echo suspended
    fg
    echo "code <$?>"`;
  const command = ['/bin/sh', '-c', 'echo begun; read word; echo "<$word $(stty size)>"; exit 5'];
  const { child, terminal, shows } = onTerminal(
    run,
    ...['/bin/sh', '-c', script, 'sh', binary, 'exec', 'db', '--', ...command],
  );
  const client = (await shows(/client <(\d+)>/))?.[1] ?? '';
  await shows(/begun/);
  expect(await Bun.spawn(inside(run, '/bin/kill', '-TSTP', client)).exited).toBe(0);
  await shows(/suspended/);
  terminal.resize(70, 20);
  terminal.write('word\n');
  await shows(/<word 20 70>[\s\S]*code <5>/);
  await child.exited;
});

test('a client that is started in the background leaves the terminal to the shell, and takes it in the foreground', async () => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  const script = `
    set -m
    before=$(stty -g)
    "$@" &
    read go
    [ "$(stty -g)" = "$before" ] && echo unchanged
    fg
    echo "code <$?>"
    [ "$(stty -g)" = "$before" ] && echo restored`;
  const command = ['/bin/sh', '-c', 'echo begun; read word; echo "<$word>"; exit 5'];
  const { child, terminal, shows } = onTerminal(
    run,
    ...['/bin/sh', '-c', script, 'sh', binary, 'exec', 'db', '--', ...command],
  );
  await shows(/begun/);
  terminal.write('go\n');
  await shows(/unchanged/);
  terminal.write('word\n');
  await shows(/<word>[\s\S]*code <5>[\s\S]*restored/);
  await child.exited;
});

test('shell opens bash with the environment, user and folder of the service; sh where there is no bash', async () => {
  const services = {
    web: played({ env: { WORD: 'of web' }, cwd: '/usr', user: 'nobody' }),
    bare: played({ env: { PATH: '/nothing' } }),
  };
  await using run = await up({ services });
  await run.puppet('web');
  await run.puppet('bare');
  const { child, terminal, shows } = onTerminal(run, binary, 'shell', 'web');
  await shows(/[$#] $/);
  // The terminal belongs to the user, so that it can be opened by its path.
  terminal.write('echo "<$BASH $SHELL $WORD $(id -un) $PWD>" > "$(tty)"\n');
  await shows(/<\S*\/bash \S*\/bash of web nobody \/usr>/);
  terminal.write('exit 3\n');
  expect(await child.exited).toBe(3);
  const piped = Bun.spawn(inside(run, binary, 'shell', 'bare'), {
    stdin: Buffer.from('echo "$SHELL"; exit 4\n'),
    stdout: 'pipe',
  });
  expect([await piped.stdout.text(), await piped.exited]).toEqual(['/bin/sh\n', 4]);
  expect(await run.command('shell')).toMatchObject({ code: 64 });
});
