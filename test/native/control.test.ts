// The control socket: where the supervisor listens, when the socket is removed, and to which supervisor a command connects.
// The test acts as the supervisor. The handover of a command contains what the program found.
import { describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { encodeEnd } from '../../src/pid1/protocol.ts';
import { folder, useNative } from '../helpers/native.ts';
import { isRoot, launch, type Supervised, type SuperviseOptions, splitHandover, supervise } from '../helpers/pid1.ts';

useNative();

const rootTest = isRoot ? test : test.skip;
const US = process.getuid?.() ?? 0;
const [FOREIGN, FOLDER, NO_SOCKET, OCCUPIED] = [1_001, 1_002, 1_003, 1_004];
const places: string[] = [];

/** A new folder. */
function place(mode = 0o755): string {
  const path = join(folder(), `place.${places.push('')}`);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

const linesOf = ({ handover }: Supervised, key: string) =>
  splitHandover(handover).lines.flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

/** Mounts file systems of the test at /run and /dev/shm. */
const OWN_PLACES = 'for d in /run /dev/shm; do mount -t tmpfs -o mode=1777 none $d; done';
const ownPlaces = (before = ':'): SuperviseOptions => ({
  before: `${OWN_PLACES}\n${before}`,
  env: { SVC_SUPER_SOCKET: '' },
});

async function end(pid1: Supervised): Promise<void> {
  pid1.hello();
  pid1.send(encodeEnd(0));
  expect(await pid1.code).toBe(0);
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

/** Whether a process listens on that socket. */
const isAnswering = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path, () => resolve(socket.destroy() !== undefined));
    socket.on('error', () => resolve(false));
  });

/** Creates a socket whose listener has ended. */
function leaveSocket(path: string): void {
  Bun.spawnSync([
    'perl',
    '-MSocket',
    '-e',
    'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(shift)) or die; listen(S, 1)',
    path,
  ]);
}

describe('the supervisor listens', () => {
  test('at SVC_SUPER_SOCKET, mode 0600, and the socket is removed at the end', async () => {
    const path = join(place(), 'socket');
    await using pid1 = await supervise({ env: { SVC_SUPER_SOCKET: path }, before: 'umask 0' });
    expect(linesOf(pid1, 'socket')).toEqual([path]);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(await isAnswering(path)).toBe(true);
    await end(pid1);
    expect(existsSync(path)).toBe(false);
  });

  test('with mode 0600 from its first moment', async () => {
    const path = join(place(), 'socket');
    const log = join(folder(), 'strace');
    // bind(2) creates the socket with all permissions that the umask does not clear: unix(7).
    if (Bun.which('strace') === null) {
      await using pid1 = await supervise({ env: { SVC_SUPER_SOCKET: path }, before: 'umask 0' });
      expect(linesOf(pid1, 'socket')).toEqual([path]);
      return;
    }
    await using pid1 = await supervise({
      env: { SVC_SUPER_SOCKET: path },
      through: ['strace', '-o', log, '-e', 'trace=umask,bind,listen'],
      pid1: false,
    });
    const calls = readFileSync(log, 'latin1')
      .split('\n')
      .map((line) => line.slice(0, line.indexOf('(')));
    expect(linesOf(pid1, 'socket')).toEqual([path]);
    expect(calls.slice(0, 4)).toEqual(['umask', 'bind', 'umask', 'listen']);
    expect(readFileSync(log, 'latin1')).toStartWith('umask(0177)');
  });

  test('at the path of a stale socket, which it replaces', async () => {
    const path = join(place(), 'socket');
    leaveSocket(path);
    expect([lstatSync(path).isSocket(), await isAnswering(path)]).toEqual([true, false]);
    await using pid1 = await supervise({ env: { SVC_SUPER_SOCKET: path } });
    expect(linesOf(pid1, 'socket')).toEqual([path]);
    expect(await isAnswering(path)).toBe(true);
  });

  test('not at a path that is in use: by a live socket, a socket of another type, a file', async () => {
    const path = join(place(), 'socket');
    const server = await listen(path);
    const { ino } = lstatSync(path);
    // It then listens at the first standard place, because it may run in a service of the other supervisor, which sets the
    // variable.
    await using live = await supervise({ before: OWN_PLACES, env: { SVC_SUPER_SOCKET: path } });
    expect([linesOf(live, 'socket'), linesOf(live, 'looked')]).toEqual([
      ['/run/svc-super.sock'],
      [`${OCCUPIED} ${path}`],
    ]);
    await end(live);
    expect(lstatSync(path).ino).toBe(ino);
    server.close();

    const datagrams = join(place(), 'socket');
    const bind =
      'socket(S, PF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un(shift)) or die; print "bound\\n"; close STDOUT; sleep 1000';
    const holder = Bun.spawn(['perl', '-MSocket', '-e', bind, datagrams], { stdout: 'pipe' });
    await holder.stdout.text();
    await using other = await supervise({ before: OWN_PLACES, env: { SVC_SUPER_SOCKET: datagrams } });
    expect(linesOf(other, 'looked')).toEqual([`${OCCUPIED} ${datagrams}`]);
    expect(existsSync(datagrams)).toBe(true);
    holder.kill();

    const file = join(place(), 'file');
    writeFileSync(file, 'content');
    await using third = await supervise({ env: { SVC_SUPER_SOCKET: file } });
    expect(linesOf(third, 'looked')).toEqual([`${NO_SOCKET} ${file}`]);
    expect(readFileSync(file, 'latin1')).toBe('content');
    const link = join(place(), 'link');
    symlinkSync(file, link);
    await using fourth = await supervise({ env: { SVC_SUPER_SOCKET: link } });
    expect(linesOf(fourth, 'looked')).toEqual([`${NO_SOCKET} ${link}`]);
  });

  test('not at a path that is too long, or whose folder is missing', async () => {
    const long = join(folder(), 'x'.repeat(120));
    await using pid1 = await supervise({ env: { SVC_SUPER_SOCKET: long } });
    expect(linesOf(pid1, 'looked')).toEqual(['36 ']);
    // The longest path has 107 bytes and the NUL.
    const fits = join(folder(), 'y'.repeat(107 - folder().length - 1));
    await using longest = await supervise({ env: { SVC_SUPER_SOCKET: fits } });
    expect(linesOf(longest, 'socket')).toEqual([fits]);
    expect(await isAnswering(fits)).toBe(true);
    await using missing = await supervise({ env: { SVC_SUPER_SOCKET: '/no/such/socket' } });
    expect(linesOf(missing, 'looked')).toEqual(['2 /no/such/socket']);
  });

  rootTest('at the first standard place that is usable', async () => {
    await using first = await supervise(ownPlaces());
    expect(linesOf(first, 'socket')).toEqual(['/run/svc-super.sock']);
    const runtime = place();
    await using second = await supervise({
      ...ownPlaces('mount -t tmpfs -o ro none /run'),
      env: { SVC_SUPER_SOCKET: '', XDG_RUNTIME_DIR: runtime },
    });
    expect(linesOf(second, 'socket')).toEqual([`${runtime}/svc-super.sock`]);
    expect(linesOf(second, 'looked')).toEqual(['30 /run/svc-super.sock']);
    await using third = await supervise(ownPlaces('mount -t tmpfs -o ro none /run'));
    expect(linesOf(third, 'socket')).toEqual([`/dev/shm/svc-super-${US}/svc-super.sock`]);
    const shm = join(`/proc/${await third.started.pid()}/root/dev/shm/svc-super-${US}`);
    expect(lstatSync(shm).mode & 0o777).toBe(0o700);
    third.hello();
  });

  rootTest('not in an XDG_RUNTIME_DIR that another user owns or may write, as `su` leaves it', async () => {
    for (const before of ['chown 1000', 'chmod 777']) {
      const runtime = place(0o700);
      await using pid1 = await supervise({
        ...ownPlaces(`mount -t tmpfs -o ro none /run; ${before} ${runtime}`),
        env: { SVC_SUPER_SOCKET: '', XDG_RUNTIME_DIR: runtime },
      });
      expect(linesOf(pid1, 'looked')).toEqual(['30 /run/svc-super.sock', `${FOLDER} ${runtime}/svc-super.sock`]);
      expect(linesOf(pid1, 'socket')).toEqual([`/dev/shm/svc-super-${US}/svc-super.sock`]);
      await end(pid1);
    }
  });

  rootTest('in a Slurm job by a name that holds its number', async () => {
    for (const [job, name] of [
      ['4711', 'svc-super-4711.sock'],
      ['', 'svc-super.sock'],
      ['../x', 'svc-super.sock'],
      ['1'.repeat(40), 'svc-super.sock'],
    ]) {
      await using pid1 = await supervise({ ...ownPlaces(), env: { SVC_SUPER_SOCKET: '', SLURM_JOB_ID: job ?? '' } });
      expect(linesOf(pid1, 'socket')).toEqual([`/run/${name}`]);
      await end(pid1);
    }
  });

  test('at a standard place if another supervisor listens at SVC_SUPER_SOCKET: it may contain this one', async () => {
    const path = join(place(), 'socket');
    await using outer = await supervise({ env: { SVC_SUPER_SOCKET: path } });
    await using inner = await supervise({ ...ownPlaces(), env: { SVC_SUPER_SOCKET: path } });
    expect([linesOf(inner, 'looked'), linesOf(inner, 'socket')]).toEqual([
      [`${OCCUPIED} ${path}`],
      ['/run/svc-super.sock'],
    ]);
    await end(inner);
    expect(await isAnswering(path)).toBe(true);
    await end(outer);
  });

  const SHM = `/dev/shm/svc-super-${US}`;
  rootTest.each([
    ['a symbolic link', `mkdir -m 700 /dev/shm/else; ln -s else ${SHM}`],
    ["another user's", `mkdir -m 700 ${SHM}; chown 1000 ${SHM}`],
    ['one that others may write', `mkdir ${SHM}; chmod 777 ${SHM}`],
    ['one that others may read', `mkdir ${SHM}; chmod 755 ${SHM}`],
    ['a file', `: > ${SHM}`],
  ])('in no folder that is %s', async (_what, before) => {
    await using pid1 = await supervise(ownPlaces(`mount -t tmpfs -o ro none /run; ${before}`));
    expect(linesOf(pid1, 'looked')).toEqual(['30 /run/svc-super.sock', `${FOLDER} ${SHM}/svc-super.sock`]);
    expect(linesOf(pid1, 'socket')).toEqual([`/tmp/svc-super-${US}/svc-super.sock`]);
    await end(pid1);
    expect(existsSync(`/tmp/svc-super-${US}`)).toBe(false);
  });

  test('alone: of two that start at the same time, one listens at the path, in twenty attempts', async () => {
    for (let round = 0; round < 20; round += 1) {
      const path = join(place(), 'socket');
      if (round % 2 === 1) leaveSocket(path);
      const options = { before: OWN_PLACES, env: { SVC_SUPER_SOCKET: path } };
      const both = await Promise.all([supervise(options), supervise(options)]);
      await using one = both[0];
      await using other = both[1];
      expect([...linesOf(one, 'socket'), ...linesOf(other, 'socket')].sort()).toEqual(['/run/svc-super.sock', path]);
      const [winner, loser] = linesOf(one, 'socket')[0] === path ? [one, other] : [other, one];
      expect(linesOf(loser, 'looked')).toEqual([`${OCCUPIED} ${path}`]);
      // The other one removes nothing when it exits.
      await end(loser);
      expect(await isAnswering(path)).toBe(true);
      await end(winner);
      expect(existsSync(path)).toBe(false);
    }
  });

  test('and does not remove the socket of another supervisor at its path', async () => {
    const path = join(place(), 'socket');
    await using first = await supervise({ env: { SVC_SUPER_SOCKET: path } });
    rmSync(path);
    await using second = await supervise({ env: { SVC_SUPER_SOCKET: path } });
    expect(linesOf(second, 'socket')).toEqual([path]);
    await end(first);
    expect(await isAnswering(path)).toBe(true);
    await end(second);
    expect(existsSync(path)).toBe(false);
  });

  test('in its working directory, if the path has no slash', async () => {
    const directory = place();
    await using pid1 = await supervise({ env: { SVC_SUPER_SOCKET: 'socket' }, before: `cd ${directory}` });
    expect(linesOf(pid1, 'socket')).toEqual(['socket']);
    expect(lstatSync(join(directory, 'socket')).isSocket()).toBe(true);
  });
});

describe('a command', () => {
  const status = (options: SuperviseOptions = {}) => supervise({ args: ['status'], pid1: false, ...options });

  test('is connected to the supervisor at SVC_SUPER_SOCKET, with any inherited descriptors', async () => {
    const path = join(place(), 'socket');
    const server = await listen(path);
    const connections: unknown[] = [];
    server.on('connection', (socket) => connections.push(socket));
    // If 3 and 4 are in use, the connection has the number 5 from the beginning.
    const taken = ['exec 3</dev/zero', 'exec 3</dev/zero 4</dev/zero', 'exec 3</dev/zero 4</dev/zero 5</dev/zero'];
    for (const before of ['true', ...taken]) {
      await using pid1 = await status({ env: { SVC_SUPER_SOCKET: path }, before });
      expect([linesOf(pid1, 'role'), linesOf(pid1, 'connected'), linesOf(pid1, 'socket')]).toEqual([
        ['command'],
        ['1'],
        [path],
      ]);
      expect(readlinkSync(`/proc/${await pid1.started.pid()}/fd/5`)).toMatch(/^socket:/);
    }
    expect(connections.length).toBe(4);
    server.close();
  });

  test('that needs no supervisor does not connect', async () => {
    const path = join(place(), 'socket');
    const server = await listen(path);
    for (const word of ['schema', 'version', '--help']) {
      await using pid1 = await supervise({ args: [word], pid1: false, env: { SVC_SUPER_SOCKET: path } });
      expect([linesOf(pid1, 'role'), linesOf(pid1, 'connected'), linesOf(pid1, 'looked')]).toEqual([
        ['command'],
        [],
        [],
      ]);
    }
    server.close();
  });

  test('works with a large environment and a limit on the size of files', async () => {
    const env = { FAKE_EXIT: '4', A: 'a'.repeat(100_000) };
    await using run = launch({ args: ['version'], pid1: false, before: 'ulimit -f 0', env });
    expect(await run.code).toBe(4);
  });

  test('reports the reason: a stale socket, a file, no file', async () => {
    const stale = join(place(), 'socket');
    leaveSocket(stale);
    for (const [path, why] of [
      [stale, 111],
      ['/etc/passwd', 111],
      ['/no/such', 2],
    ] as const) {
      await using pid1 = await status({ env: { SVC_SUPER_SOCKET: path } });
      expect([linesOf(pid1, 'connected'), linesOf(pid1, 'looked')]).toEqual([[], [`${why} ${path}`]]);
    }
  });

  /** A shell command: another user creates a socket, listens on it, and then creates PATH.listens. */
  const foreign = (path: string) =>
    `setpriv --reuid=1000 --clear-groups perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("${path}")) or die "$!"; listen(S, 5); chmod 0777, "${path}"; open F, ">", "${path}.listens"; sleep 1000'`;

  rootTest('trusts no socket of another user, and reports it', async () => {
    const [run, shm] = ['/run/svc-super.sock', `/dev/shm/svc-super-${US}/svc-super.sock`];
    const waiting = `while ! [ -e ${run}.listens ] || ! [ -e ${shm}.listens ]; do :; done`;
    const folderOf = `/dev/shm/svc-super-${US}`;
    const before = `mkdir -m 700 ${folderOf}; chown 1000 ${folderOf}\n${foreign(run)} &\n${foreign(shm)} &\n${waiting}`;
    await using pid1 = await status(ownPlaces(before));
    expect([linesOf(pid1, 'connected'), linesOf(pid1, 'looked')]).toEqual([
      [],
      [
        `${FOREIGN} ${run}`,
        `${FOLDER} ${shm}`,
        expect.stringMatching(new RegExp(`^[0-9]+ /tmp/svc-super-${US}/svc-super.sock$`)),
      ],
    ]);
  });

  /** A shell command: this user listens at these paths. */
  const ours = (...paths: string[]) =>
    `perl -MSocket -e 'for (@ARGV) { socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, pack_sockaddr_un($_)) or die "$_: $!"; listen($s, 5); push @s, $s } open F, ">", "/run/listen"; sleep 1000' ${paths.join(' ')} &
while ! [ -e /run/listen ]; do :; done`;
  const pathsFound = (pid1: Supervised) => linesOf(pid1, 'found').map((text) => text.replace(/^[1-9][0-9]* /, ''));

  rootTest('is connected to none of several supervisors, and lists them', async () => {
    const shm = `/dev/shm/svc-super-${US}`;
    const paths = ['/run/svc-super-1.sock', `${shm}/svc-super.sock`];
    await using several = await status(ownPlaces(`mkdir -m 700 ${shm}\n${ours(...paths)}`));
    expect([linesOf(several, 'connected'), pathsFound(several).sort()]).toEqual([[], [...paths].reverse()]);
    await using one = await status(ownPlaces(ours('/run/svc-super-1.sock')));
    expect([linesOf(one, 'connected'), linesOf(one, 'socket')]).toEqual([['1'], ['/run/svc-super-1.sock']]);
  });

  rootTest('one folder by two names is one supervisor', async () => {
    const options = ownPlaces(`chmod 755 /run\n${ours('/run/svc-super.sock')}`);
    await using run = await status({ ...options, env: { SVC_SUPER_SOCKET: '', XDG_RUNTIME_DIR: '/run' } });
    expect([linesOf(run, 'connected'), linesOf(run, 'socket')]).toEqual([['1'], ['/run/svc-super.sock']]);
  });

  rootTest('in a Slurm job is connected to the supervisor of that job, and to no other', async () => {
    const before = ours('/run/svc-super-1.sock', '/run/svc-super-2.sock', '/run/svc-super.sock');
    for (const [job, connected] of [
      ['1', ['/run/svc-super-1.sock']],
      ['2', ['/run/svc-super-2.sock']],
      ['3', []],
    ] as const) {
      const options = { ...ownPlaces(before), env: { SVC_SUPER_SOCKET: '', SLURM_JOB_ID: job } };
      await using run = await status(options);
      expect([job, linesOf(run, 'socket')]).toEqual([job, [...connected]]);
      expect(pathsFound(run).length).toBe(connected.length === 0 ? 3 : 1);
    }
    // The same applies if only one other supervisor answers.
    const alone = { ...ownPlaces(ours('/run/svc-super-1.sock')), env: { SVC_SUPER_SOCKET: '', SLURM_JOB_ID: '3' } };
    await using run = await status(alone);
    expect([linesOf(run, 'connected'), pathsFound(run)]).toEqual([[], ['/run/svc-super-1.sock']]);
  });

  test('prefers --socket to SVC_SUPER_SOCKET; after `--` the option belongs to the command', async () => {
    const [one, other] = [join(place(), 'one'), join(place(), 'other')];
    const servers = [await listen(one), await listen(other)];
    for (const [args, asked] of [
      [['status', '--socket', other], other],
      [['status', `--socket=${other}`, 'a'], other],
      [['exec', 'a', '--', 'x', '--socket', other], one],
      [['status', '--sockets', other], one],
    ] as const) {
      await using run = await supervise({ args: [...args], pid1: false, env: { SVC_SUPER_SOCKET: one } });
      expect([args, linesOf(run, 'socket')]).toEqual([args, [asked]]);
    }
    for (const server of servers) server.close();
  });

  /** Like `foreign`. Replies as a supervisor does, and writes what it receives to PATH.received. */
  const impostor = (path: string) =>
    `setpriv --reuid=1000 --clear-groups perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("${path}")) or die "$!"; listen(S, 5); chmod 0777, "${path}"; open F, ">", "${path}.listens"; while (accept(C, S)) { sysread C, $b, 9999 and do { open H, ">>", "${path}.received"; syswrite H, $b }; $t = "{\\"healthy\\":true}"; syswrite C, "HTTP/1.1 200 OK\\r\\nContent-Length: " . length($t) . "\\r\\n\\r\\n$t"; close C }' &
while ! [ -e ${path}.listens ]; do :; done`;

  rootTest('of root trusts no socket that another user created first, and sends nothing to it', async () => {
    const shm = `/dev/shm/svc-super-${US}`;
    const program = join(import.meta.dir, '../../dist/svc-super');
    for (const [made, path] of [
      [`install -d -o 1000 -m 700 ${shm}`, `${shm}/svc-super.sock`],
      [`install -d -o 1000 -m 777 ${shm}`, `${shm}/svc-super.sock`],
      [`install -d -o 1000 -m 700 /dev/shm/x; ln -s x ${shm}`, `${shm}/svc-super.sock`],
      ['install -d -o 1000 -m 755 /run/user/1000', '/run/user/1000/svc-super.sock'],
      ['true', '/run/svc-super.sock'],
      [`install -d -m 700 ${shm}; chmod 777 /run`, '/run/svc-super-9.sock'],
    ] as const) {
      for (const args of [['health'], ['exec', 'db', '--', 'psql', 'the-password'], ['status']]) {
        const before = `${OWN_PLACES}\n${made}\n${impostor(path)}\ntrap 'cat ${path}.received 2>/dev/null' EXIT`;
        const env = { SVC_SUPER_SOCKET: '', XDG_RUNTIME_DIR: '/run/user/1000' };
        await using run = launch({ program, args, pid1: false, before, env });
        expect([path, args[0], await run.code]).toEqual([path, args[0], args[0] === 'health' ? 1 : 69]);
        expect(run.output).toContain('no supervisor answers; looked at');
        // The shell prints what the impostor received.
        expect(run.output).not.toMatch(/HTTP|the-password/);
      }
    }
  });

  const real = join(import.meta.dir, '../../dist/svc-super');
  rootTest.skipIf(!existsSync(`${real}-supervisor`))(
    '`status` of the real program names every place and why',
    async () => {
      const shm = `/dev/shm/svc-super-${US}`;
      const before = `${OWN_PLACES}\nmkdir -m 700 ${shm}; chown 1000 ${shm}; mkdir -p /run; : > /run/svc-super.sock`;
      await using run = launch({ program: real, args: ['status'], pid1: false, before, env: { SVC_SUPER_SOCKET: '' } });
      expect(await run.code).not.toBe(0);
      for (const path of ['/run/svc-super.sock', `${shm}/svc-super.sock`, `/tmp/svc-super-${US}/svc-super.sock`])
        expect(run.output).toContain(path);
    },
  );
});
