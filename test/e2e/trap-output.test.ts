// Standard output in every state that blocks or ends a naive writer: the pipe, the socket or the terminal is not read, the reader
// has closed it, the disk is full, the descriptor is closed. Meanwhile services flood it; svc-super must respond, probe, reap,
// pass signals on and end as usual, in bounded memory; and everything that can be written is complete.
import { describe, expect, test } from 'bun:test';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { floodLine } from '../helpers/puppet.ts';
import { freePort, isNode, played, type Run, type UpOptions, until, up, useRig } from '../helpers/rig.ts';
import { Terminal } from '../helpers/trap-terminal.ts';

useRig();

const LINES = 40_000;
const WIDTH = 100;
/** Bytes. At rest a supervisor on Bun has some 10 MB of its own, on Node some 35, and PID 1 a hundredth of that. */
const MOST_MEMORY = (isNode ? 96 : 48) * 1024 * 1024;

const config = (port: number) => ({
  exit: 'failure',
  services: {
    one: played(),
    two: played(),
    web: played({ ready: { http: `http://127.0.0.1:${port}/`, interval: '50ms', continuous: true } }),
    other: played({ forward: ['USR1'] }),
  },
});

interface Flooding {
  readonly run: Run;
  /** Whether both floods have been read completely. */
  isTaken(): boolean;
  /** Resolves when they have. */
  readonly taken: Promise<unknown>;
  /** Checks that everything else continues. */
  isAlive(): Promise<void>;
}

/** Eight megabytes from two services to both streams, once everything is ready. */
async function flooding(options: UpOptions, hold: () => void = () => undefined): Promise<Flooding> {
  const port = await freePort();
  const run = await up(config(port), options);
  const [one, two] = [await run.puppet('one'), await run.puppet('two')];
  const [web, other] = [await run.puppet('web'), await run.puppet('other')];
  await web.listen(port);
  await run.state('web', 'ready');
  hold();
  let taken = false;
  const floods = Promise.all([one.flood(LINES, WIDTH, 1, 2), two.flood(LINES, WIDTH, 1, 2)]).then(() => {
    taken = true;
  });
  floods.catch(() => undefined);
  const isAlive = async () => {
    await other.orphans(50, 1);
    await until('orphans to be reaped', () => run.ps().every(({ state }) => state !== 'Z'));
    await web.respond(503, 'no');
    await run.state('web', 'unready');
    await web.respond(200, 'yes');
    await run.state('web', 'ready');
    await other.trap('USR1');
    run.signal('SIGUSR1');
    await other.signalled('SIGUSR1');
    expect(run.memory('RssAnon')).toBeLessThan(MOST_MEMORY);
  };
  return { run, isTaken: () => taken, taken: floods, isAlive };
}

/** The expected lines of the floods, of one stream. */
const flood = (service: string, stream: 0 | 1): readonly string[] =>
  Array.from({ length: LINES / 2 }, (_, at) => `${service.padEnd(9)} | ${floodLine(2 * at + stream, WIDTH)}`);

const linesOf = (text: string, service: string) => text.split('\n').filter((line) => line.startsWith(`${service} `));

/** Standard output and error become a socket whose other end another process has open and does not read. */
const SOCKET = `exec perl -MSocket -MPOSIX -e '
  $^F = 99;
  socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0) or die;
  if (fork() == 0) { close($ours); exec "sleep", "1000" }
  close($theirs);
  POSIX::dup2(fileno $ours, $_) for 1, 2;
  exec { $ARGV[0] } @ARGV' "$0" "$@"`;

const NONBLOCKING = `perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK)'`;

describe('without a reader', () => {
  test('a pipe slows only the services down, and no byte is missing when it is read', async () => {
    const { run, isTaken, taken, isAlive } = await flooding({ stdout: 'stall' });
    await using _run = run;
    await isAlive();
    expect(isTaken()).toBe(false);
    run.output.resume();
    await taken;
    run.signal('SIGTERM');
    await run.ends(0);
    for (const [at, stream] of (['stdout', 'stderr'] as const).entries()) {
      const text = run.output.bytes(stream).toString();
      for (const service of ['one', 'two'])
        expect(linesOf(text, service)).toEqual([...flood(service, at === 0 ? 0 : 1)]);
    }
  });

  test('one pipe for both streams gets whole lines of both, none missing, and those of the supervisor', async () => {
    const { run, isTaken, taken, isAlive } = await flooding({ before: 'exec 2>&1', stdout: 'stall' });
    await using _run = run;
    await isAlive();
    expect(isTaken()).toBe(false);
    run.output.resume();
    await taken;
    run.signal('SIGTERM');
    await run.ends(0);
    const lines = run.output.bytes('stdout').toString().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.filter((line) => !/^(?:(?:one|two) {7}\| \d{8} x{90}|svc-super \| [^|]+)$/.test(line))).toEqual([]);
    for (const service of ['one', 'two']) {
      const found = linesOf(lines.join('\n'), service);
      for (const stream of [0, 1] as const)
        expect(found.filter((line) => Number(line.split(' | ')[1]?.slice(0, 8)) % 2 === stream)).toEqual([
          ...flood(service, stream),
        ]);
    }
    const own = linesOf(lines.join('\n'), 'svc-super').join('\n');
    for (const event of [/one started/, /web not ready any more: HTTP 503$/m, /web ready again$/m, /two stopped/])
      expect(own).toMatch(event);
  });

  test('a pipe does not prevent the end', async () => {
    const { run, isTaken, isAlive } = await flooding({ stdout: 'stall' });
    await using _run = run;
    await isAlive();
    run.signal('SIGTERM');
    await until('the supervisor to be gone', () => run.isOver);
    expect(isTaken()).toBe(false);
    await run.ends(0);
  });

  test('a socket slows only the services down, and does not prevent the end', async () => {
    const { run, isTaken, isAlive } = await flooding({ before: SOCKET });
    await using _run = run;
    await isAlive();
    expect(isTaken()).toBe(false);
    run.signal('SIGTERM');
    await run.ends(0);
  });
});

describe.each([
  ['held', ''],
  ['held and non-blocking', NONBLOCKING],
])('a terminal that is %s', (_how, more) => {
  test('slows only the services down, and no byte is missing when it continues', async () => {
    using terminal = new Terminal();
    const before = `exec > ${terminal.path} 2>&1\n${more}`;
    const { run, isTaken, taken, isAlive } = await flooding({ before }, () => terminal.hold());
    await using _run = run;
    await isAlive();
    expect(isTaken()).toBe(false);
    // Waiting costs nothing: a tenth of a processor would mean a busy loop.
    const usedBy = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
    const { outer: supervisor } = run.supervisor;
    const used = () => usedBy(run.outerPid) + usedBy(supervisor);
    const [from, start] = [used(), performance.now()];
    await until('a second', () => performance.now() - start > 1_000);
    expect(used() - from).toBeLessThan(300);
    terminal.release();
    let done = false;
    void taken.then(() => {
      done = true;
    });
    await until('the floods', () => terminal.text() !== '' && done);
    run.signal('SIGTERM');
    await until('the end', () => terminal.text() !== '' && run.isOver);
    await run.ends(0);
    const text = terminal.text();
    for (const service of ['one', 'two']) {
      const found = linesOf(text, service);
      for (const stream of [0, 1] as const)
        expect(found.filter((line) => Number(line.split(' | ')[1]?.slice(0, 8)) % 2 === stream)).toEqual([
          ...flood(service, stream),
        ]);
    }
  });

  test('does not prevent the end', async () => {
    using terminal = new Terminal();
    const before = `exec > ${terminal.path} 2>&1\n${more}`;
    const { run, isTaken, isAlive } = await flooding({ before }, () => terminal.hold());
    await using _run = run;
    await isAlive();
    run.signal('SIGTERM');
    await run.ends(0);
    expect(isTaken()).toBe(false);
  });
});

const LOST: Readonly<Record<string, UpOptions>> = {
  'the readers have left before the start': { stdout: 'gone' },
  'the reader leaves after ten lines': {
    before: 'mkfifo fifo\nhead -n 10 fifo > head.txt &\nexec > fifo 2>&1',
    leaves: ['fifo', 'head.txt'],
  },
  'the reader of standard output has left, that of standard error has not': {
    before: 'mkfifo fifo\ntrue < fifo &\nexec > fifo\nwait',
    leaves: ['fifo'],
  },
  'the disk is full': { before: 'exec > /dev/full 2>&1' },
  'the descriptors are closed': { before: 'exec >&- 2>&-' },
  'standard output is closed and standard error is not': { before: 'exec >&-' },
};

describe('if nothing can be written', () => {
  for (const [how, options] of Object.entries(LOST)) {
    test(`because ${how}, the output is lost and nothing else is affected`, async () => {
      const { run, taken, isAlive } = await flooding(options);
      await using _run = run;
      await taken;
      await isAlive();
      if (options.leaves?.includes('head.txt') === true)
        expect(readFileSync(join(run.folder, 'head.txt'), 'utf8').split('\n')).toHaveLength(11);
      expect(run.lines.filter((line) => /a bug|EPIPE/.test(line))).toEqual([]);
      // No descriptor has replaced the closed ones.
      for (const { outer } of [run.pid1, run.supervisor])
        for (const fd of [0, 1, 2])
          expect(readlinkSync(`/proc/${outer}/fd/${fd}`)).not.toMatch(/eventpoll|signalfd|memfd/);
      run.signal('SIGTERM');
      await run.ends(0);
    });
  }
});

test('a service reopens /dev/stdout and /dev/stderr, as any user', async () => {
  const echo = 'echo to stdout > /dev/stdout; echo to stderr > /dev/stderr; echo over > /proc/self/fd/1';
  const users = { ours: {}, other: { user: 'nobody', cwd: '/' }, number: { user: '12345:12345', cwd: '/' } };
  const services = Object.fromEntries(
    Object.entries(users).map(([name, more]) => [name, { command: echo, type: 'task', ...more }]),
  );
  await using run = await up({ exit: 'all', services });
  await run.ends(0);
  for (const name of Object.keys(users)) {
    await run.line(new RegExp(`^${name} +\\| to stdout$`), { stream: 'stdout' });
    await run.line(new RegExp(`^${name} +\\| to stderr$`), { stream: 'stderr' });
    await run.line(new RegExp(`^${name} +\\| over$`), { stream: 'stdout' });
  }
});
