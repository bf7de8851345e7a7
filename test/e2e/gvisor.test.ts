// Under gVisor (Debian's runsc): another kernel, written anew, without /proc/PID/task/TID/children and without marks on limits.
// Starts, gates, users, leftover processes, exit codes, stops, restarts, `init` and commands are as on Linux.
import { describe, expect, test } from 'bun:test';
import { runInSandbox, Sandbox, skipGvisor } from '../helpers/gvisor.ts';
import { useRig } from '../helpers/rig.ts';

useRig();

/** Answers each connection to PORT with 200, in the Perl that minimal Debian has. */
const SERVER = `
  use IO::Socket::INET;
  $| = 1;
  my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT}, Listen => 8) or die $!;
  $SIG{TERM} = sub { print "server saw TERM\\n"; exit 0 };
  print "server listens\\n";
  while (1) {
    my $client = $server->accept or next;
    while (my $line = <$client>) { last if $line =~ /^\\r?\\n$/ }
    print $client "HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok";
  }`;
const server = (ready: object) => ({ command: ['perl', '-e', SERVER], port: 18_100, ready });

/** Waits for SIGTERM, prints that it has come, ends. */
const polite = (name: string) =>
  `trap "echo ${name} saw TERM; exit 0" TERM; echo ${name} is up; while :; do sleep 0.05; done`;

describe.skipIf(skipGvisor())('under gVisor', () => {
  for (const ready of [{ http: '/health' }, { tcp: true }]) {
    test(`a gate by ${Object.keys(ready)} opens, a dependent of another user starts, and a stop is in order`, async () => {
      const page = {
        depends_on: { server: 'ready' },
        user: 'nobody',
        umask: '027',
        command: `id -un; umask; ${polite('page')}`,
      };
      await using sandbox = new Sandbox({ services: { server: server(ready), page } });
      await sandbox.says(/page is up/);
      sandbox.signal('SIGTERM');
      expect(await sandbox.ended()).toBe(0);
      const lines = sandbox.stdout.trim().split('\n');
      expect(lines).toEqual([
        'server    | server listens',
        'page      | nobody',
        'page      | 0027',
        'page      | page is up',
        'page      | page saw TERM',
        'server    | server saw TERM',
      ]);
      expect(sandbox.stderr).not.toContain('a bug');
    });
  }

  test('log files are written, rotated and compressed, and a link of another user is not followed', async () => {
    const file = { path: '/tmp/svc-logs/a.log', max_size: '4KiB', keep: 99, compress: true };
    const lines = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line $i, which is not a short one"; done; sleep 1';
    const linked =
      'mkdir -m 755 /tmp/svc-own; ln -s /tmp/svc-vault /tmp/svc-own/b.log; chown -R -h nobody /tmp/svc-own';
    await using sandbox = new Sandbox({
      services: {
        a: { type: 'task', command: `${lines}; ${linked}`, log: { file } },
        b: { type: 'task', command: 'echo mine', depends_on: ['a'], log: { file: { path: '/tmp/svc-own/b.log' } } },
        c: {
          type: 'task',
          command: 'cd /tmp/svc-logs; (zcat a.log.*.gz; cat a.log) | sort -u | wc -l; ls /tmp/svc-vault; true',
          depends_on: ['b'],
        },
      },
    });
    expect(await sandbox.ended()).toBe(0);
    expect(sandbox.stderr).toMatch(
      /cannot write \/tmp\/svc-own\/b\.log: .* is a symbolic link that another user may have made/,
    );
    expect(sandbox.stdout).toMatch(/^c +\| 300$/m);
    expect(`${sandbox.stdout}${sandbox.stderr}`).toMatch(/cannot access '?\/tmp\/svc-vault/);
  });

  test('the exit code is that of the service, 128 and the signal, 127, 126, 124 or 78', async () => {
    const endings: readonly (readonly [service: object, code: number])[] = [
      [{ command: 'exit 7' }, 7],
      [{ command: 'exit 0' }, 0],
      [{ command: 'kill -KILL $$' }, 137],
      [{ command: 'kill -SEGV $$' }, 139],
      [{ command: ['no-such-program'] }, 127],
      [{ command: ['/etc/passwd'] }, 126],
      [{ command: 'sleep 60', ready: { file: '/never' }, start_timeout: '200ms' }, 124],
      [{ comand: 'exit 7' }, 78],
    ];
    const codes: (readonly [object, number])[] = [];
    for (const [service] of endings) codes.push([service, (await runInSandbox({ services: { one: service } })).code]);
    expect(codes).toEqual([...endings]);
  });

  test('leftover processes are cleaned up before the next run, by the names in their environment', async () => {
    const family = {
      command: '(setsid sleep 600 &) ; setsid setsid sleep 601 & echo born; sleep 0.3; exit 3',
      restart: { policy: 'on-failure', max: 1, backoff: { initial: '10ms' } },
    };
    const { code, stderr } = await runInSandbox({ services: { family } });
    expect(code).toBe(3);
    expect(stderr.match(/cleaned up 2 processes of family: sleep \(pid \d+\), sleep \(pid \d+\)/g)).toHaveLength(2);
    expect(stderr.indexOf('cleaned up')).toBeLessThan(stderr.lastIndexOf('family started'));
  });

  test('what ignores SIGTERM is killed at the deadline: 137', async () => {
    const deaf = { command: 'trap "" TERM; echo deaf; while :; do sleep 0.05; done', stop: { timeout: '500ms' } };
    await using sandbox = new Sandbox({ services: { deaf } });
    await sandbox.says(/\| deaf$/m);
    sandbox.signal('SIGTERM');
    expect(await sandbox.ended()).toBe(137);
  });

  test('commands reach the supervisor, and hooks, exec probes and notify sockets work', async () => {
    const notify = [
      'use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0);',
      'send($s, "READY=1", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET} =~ s/^@/\\0/r)) or die $!; sleep 600',
    ].join(' ');
    const services = {
      notifier: { command: ['perl', '-e', notify], ready: { notify: true } },
      probed: { command: 'exec sleep 600', ready: { exec: 'true' }, hooks: { after_ready: 'echo hooked' } },
      asker: {
        depends_on: { notifier: 'ready', probed: 'ready' },
        command: '"$BINARY" status; "$BINARY" restart probed && "$BINARY" exec probed -- sh -c "echo executed; exit 4"',
      },
    };
    const { code, stdout, stderr } = await runInSandbox({ services }, 'BINARY="$0" exec "$0" "$@"');
    expect(stderr).not.toContain('a bug');
    expect(stdout).toMatch(/asker +\| notifier +ready/);
    expect(stdout).toMatch(/probed +\| hooked/);
    expect(stdout).toMatch(/asker +\| executed/);
    expect(code).toBe(4);
  });

  test('no line of the output is lost, on either stream', async () => {
    const loud = { command: 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2; done' };
    const { code, stdout, stderr } = await runInSandbox({ services: { loud } });
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 5_000 }, (_, at) => `loud      | out ${at + 1}`));
    expect(stderr.match(/^loud +\| err \d+$/gm)).toHaveLength(5_000);
  });

  test('below another process it is a subreaper, and nothing outlives it', async () => {
    const shell = '"$0" "$@"; echo "code $?"; echo /proc/[0-9]*';
    const one = { command: '(setsid sleep 600 &) ; sleep 0.2; exit 5' };
    const { stdout } = await runInSandbox({ services: { one } }, shell);
    // The shell alone.
    expect(stdout).toBe('code 5\n/proc/1\n');
  });

  test('init has the code of its command, and passes signals on', async () => {
    const init = (script: string) => ({ args: ['init', '--', 'sh', '-c', script] });
    expect(await runInSandbox(init('echo out; echo err >&2; exit 9'))).toEqual({
      code: 9,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect((await runInSandbox(init('kill -KILL $$'))).code).toBe(137);
    expect((await runInSandbox({ args: ['init', 'no-such-program'] })).code).toBe(127);
    await using sandbox = new Sandbox(init(polite('one')));
    await sandbox.says(/one is up/);
    sandbox.signal('SIGTERM');
    expect(await sandbox.ended()).toBe(0);
    expect(sandbox.stdout).toBe('one is up\none saw TERM\n');
  });
});
