// `svc-super exec`: a command with a service's environment, user and folder. It receives the caller's standard input; on a
// terminal it has its own terminal, with job control. Run inside the namespace, as with `docker exec`.
import { expect, test } from 'bun:test';
import { binary, played, type Run, up, useRig } from '../helpers/rig.ts';

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
    env: { SVC_SUPER_SOCKET: run.socket },
    stdin: Buffer.from('select 1\n'),
    stderr: 'pipe',
  });
  expect(await child.stderr.text()).toContain('run this in the container, or with < /dev/null');
  expect(await child.exited).toBe(1);
  expect(await run.command('exec', 'db', '--', 'echo', 'ok')).toMatchObject({ code: 0, stdout: 'ok\n' });
});

test('on a terminal the command has its own: Ctrl-C, job control, window size, TERM', async () => {
  await using run = await up({ services: { db: played() } });
  await run.puppet('db');
  let text = '';
  const seen = Promise.withResolvers<void>();
  let wanted: { readonly pattern: RegExp; readonly found: () => void } = { pattern: /$^/, found: seen.resolve };
  const child = Bun.spawn(inside(run, 'TERM=xterm', binary, 'exec', 'db', '--', 'bash', '--norc'), {
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
  // Ends with the prompt: a shell discards input that arrives while it handles Ctrl-C.
  const shows = async (pattern: RegExp) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`waited for ${pattern}:\n${text}`)), LIMIT);
    wanted = { pattern, found: resolve };
    if (pattern.test(text)) resolve();
    await promise;
    clearTimeout(timer);
    text = '';
  };
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
  terminal.write(`sh -c 'echo beg""un again; exec sleep 2000'\n`);
  await shows(/begun again/);
  terminal.write('\x1a');
  await shows(/Stopped +sh -c[\s\S]*[$#] $/);
  terminal.resize(100, 40);
  terminal.write('kill -9 %1 %2; stty size\n');
  await shows(/40 100[\s\S]*[$#] $/);
  terminal.write('exit 7\n');
  if ((await Promise.race([child.exited, shows(/stopped jobs|Killed/).then(() => null)])) === null)
    terminal.write('exit 7\n');
  expect(await child.exited).toBe(7);
});
