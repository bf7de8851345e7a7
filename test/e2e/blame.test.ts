// Why a program cannot run: `up`, `check --runtime`, hooks, probes, stop commands and `init` report the same cause, for the user
// that the program would run as.
import { describe, expect, test } from 'bun:test';
import {
  binary,
  freePort,
  isRoot,
  played,
  start,
  testWithRuntime,
  type UpOptions,
  until,
  up,
  useRig,
} from '../helpers/rig.ts';

useRig();

/** Perl that writes a 64-bit ELF file for a machine and a loader: enough for execve(2) to reject it. */
const elf = (name: string, machine: number, loader: string) =>
  `perl -e 'print pack("a4CCCx9vvVQQQVvvvvvv", "\\x7fELF", 2, 1, 1, 2, ${machine}, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0), pack("VVQQQQQQ", 3, 4, 120, 0, 0, ${loader.length + 1}, ${loader.length + 1}, 1), "${loader}\\0"' > ${name}; chmod 755 ${name}`;
const [MINE, FOREIGN] = process.arch === 'x64' ? [62, 183] : [183, 62];
const AS_NOBODY = 'setpriv --reuid=65534 --regid=65534 --clear-groups';

interface Case extends Pick<UpOptions, 'before' | 'files' | 'leaves'> {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly code: number;
  readonly why: RegExp;
  readonly needsRoot?: boolean;
}

/** Runs svc-super as user nobody. */
const UNPRIVILEGED = { before: `exec ${AS_NOBODY} "$0" "$@"`, code: 126, needsRoot: true } as const;

const cases: Readonly<Record<string, Case>> = {
  'a script whose first line ends with CRLF': {
    fields: { command: ['./run.sh'] },
    files: { 'run.sh': '#!/bin/bash\r\necho hello\r\n' },
    before: 'chmod 755 run.sh',
    code: 127,
    why: /cannot execute \.\/run\.sh: its first line ends with CRLF, so its interpreter would be `\/bin\/bash\\r`/,
  },
  'the same as text': {
    fields: { command: './run.sh --now' },
    files: { 'run.sh': '#!/bin/bash\r\necho hello\r\n' },
    before: 'chmod 755 run.sh',
    code: 127,
    why: /cannot execute \.\/run\.sh: its first line ends with CRLF/,
  },
  'a script with a byte order mark': {
    fields: { command: ['./run.sh'] },
    files: { 'run.sh': '\uFEFF#!/bin/sh\necho hello\n' },
    before: 'chmod 755 run.sh',
    code: 126,
    why: /cannot execute \.\/run\.sh: it begins with a byte order mark/,
  },
  'a script whose interpreter is missing': {
    fields: { command: ['./run.sh'] },
    files: { 'run.sh': '#!/opt/none/python3\n' },
    before: 'chmod 755 run.sh',
    code: 127,
    why: /cannot execute \.\/run\.sh: .*\/run\.sh needs \/opt\/none\/python3, and there is no such file/,
  },
  'a program for another machine': {
    fields: { command: ['./tool'] },
    before: elf('tool', FOREIGN, '/lib/ld.so'),
    leaves: ['tool'],
    code: 126,
    why: /cannot execute \.\/tool: exec format error: built for \S+, this is \S+/,
  },
  'a program whose loader is missing': {
    fields: { command: ['./tool'] },
    before: elf('tool', MINE, '/lib/ld-musl-nowhere.so.1'),
    leaves: ['tool'],
    code: 127,
    why: /cannot execute \.\/tool: it needs the loader \/lib\/ld-musl-nowhere\.so\.1, and there is no such file: it was built for musl/,
  },
  'a file without an execute bit': {
    fields: { command: ['./run.sh'] },
    files: { 'run.sh': '#!/bin/sh\n' },
    before: 'chmod 644 run.sh',
    code: 126,
    why: /cannot execute \.\/run\.sh: it is not executable \(mode 0644, owner uid 0\)/,
  },
  'a program on a file system that is mounted noexec': {
    fields: { command: ['tmp/run.sh'] },
    before: 'mount -t tmpfs -o noexec none tmp; printf "#!/bin/sh\\n" > tmp/run.sh; chmod 755 tmp/run.sh',
    code: 126,
    why: /cannot execute tmp\/run\.sh: it is on a file system that is mounted `noexec`/,
  },
  'a program behind a folder that its user may not enter': {
    fields: { command: ['closed/run.sh'], user: 'nobody' },
    before: 'mkdir -m 700 closed; printf "#!/bin/sh\\n" > closed/run.sh; chmod 755 closed/run.sh',
    leaves: ['closed'],
    code: 126,
    why: /cannot execute closed\/run\.sh: user nobody may not enter \/\S+\/closed \(mode 0700, owner uid 0\)/,
    needsRoot: true,
  },
  'the python of a virtual environment that leads to where its user may not go': {
    fields: { command: ['venv/bin/python3', '-c', ''], user: 'nobody' },
    before:
      'mkdir -p closed venv/bin; chmod 700 closed; cp /bin/true closed/python3; ln -s "$PWD/closed/python3" venv/bin/python3',
    leaves: ['closed', 'venv'],
    code: 126,
    why: /cannot execute venv\/bin\/python3: it leads to \S+\/closed\/python3 \(\S+\/venv\/bin\/python3 is a link\), and user nobody may not enter \S+\/closed/,
    needsRoot: true,
  },
  'a working directory behind a folder that its user may not enter': {
    fields: { command: ['true'], cwd: 'closed/inner', user: 'nobody' },
    before: 'mkdir -m 700 closed; mkdir closed/inner',
    leaves: ['closed'],
    code: 126,
    why: /(?:cannot change to|works in) closed\/inner: user nobody may not enter \/\S+\/closed \(mode 0700, owner uid 0\)/,
    needsRoot: true,
  },
  'a folder that svc-super itself, not root, may not enter': {
    fields: { command: ['closed/run.sh'] },
    before: `mkdir -m 700 closed; printf "#!/bin/sh\\n" > closed/run.sh; chmod 755 closed/run.sh; exec ${AS_NOBODY} "$0" "$@"`,
    leaves: ['closed'],
    code: 126,
    why: /cannot execute closed\/run\.sh: uid 65534 may not enter \/\S+\/closed/,
    needsRoot: true,
  },
  'a limit above the hard one': {
    fields: { command: ['true'], limits: { nofile: 5_000 } },
    before: `ulimit -n 1000; exec ${AS_NOBODY} "$0" "$@"`,
    code: 126,
    why: /cannot set limits\.nofile: .*the hard limit is 1000, and CAP_SYS_RESOURCE is missing/,
    needsRoot: true,
  },
  'processors that the container does not have': {
    fields: { command: ['true'], cpus: '900-901' },
    code: 126,
    why: /cannot set cpus.*svc-super may use the processors \S+ only/,
  },
  'a niceness that svc-super has no right to give': {
    fields: { command: ['true'], nice: -5 },
    ...UNPRIVILEGED,
    why: /cannot set nice/,
  },
  'an oom_score_adj that svc-super has no right to give': {
    fields: { command: ['true'], oom_score_adj: -500 },
    ...UNPRIVILEGED,
    why: /cannot set oom_score_adj/,
  },
  'a user that svc-super has no right to become': {
    fields: { command: ['true'], user: 'daemon' },
    ...UNPRIVILEGED,
    why: /cannot become user daemon.*: .*CAP_SETGID and CAP_SETUID are missing/,
  },
};

describe('`up` and `check --runtime` report the cause:', () => {
  for (const [name, { fields, code, why, needsRoot = false, ...options }] of Object.entries(cases)) {
    test.skipIf(needsRoot && !isRoot)(name, async () => {
      await using run = await up({ services: { a: fields } }, options);
      await run.ends(code);
      expect(run.lines.join('\n')).toMatch(why);
      await using check = await up({ services: { a: fields } }, { ...options, args: ['check', '--runtime'] });
      await check.ends(78);
      expect(check.lines.filter((line) => line.startsWith('✗')).join('\n')).toMatch(why);
    });
  }
});

const CRLF = { files: { 'run.sh': '#!/bin/bash\r\n' }, before: 'chmod 755 run.sh' } as const;

test('hooks, exec probes and stop commands report the cause too, as lists and as text', async () => {
  const why = /its first line ends with CRLF/;
  await using hooked = await up({ services: { a: played({ hooks: { before_start: ['./run.sh'] } }) } }, CRLF);
  await hooked.ends(127);
  expect(hooked.lines.join('\n')).toMatch(/before_start.*its first line ends with CRLF/);
  for (const exec of [['./run.sh'], './run.sh']) {
    await using run = await up({ services: { a: played({ ready: { exec }, stop: { command: exec } }) } }, CRLF);
    const a = await run.puppet('a');
    await run.state('a', 'starting');
    await until(
      'the cause in the reason',
      async () => why.test((await run.service('a')).reason ?? ''),
      () => run.output.text(),
    );
    await a.trap('TERM');
    run.signal('SIGTERM');
    await run.line(/stop\.command failed \(.*its first line ends with CRLF/);
    await a.exit(0);
  }
});

test('init reports the cause too', async () => {
  await using run = await start(['init', '--', './run.sh'], CRLF);
  await run.ends(127);
  await run.line(/^svc-super: cannot execute \.\/run\.sh: its first line ends with CRLF.*dos2unix/);
});

// On Node the image would need Node too, and its libraries.
(isRoot ? testWithRuntime : test.skip)(
  'a command written as text in an image without a shell is said to need one',
  async () => {
    const root = `mkdir -p root/dist root/proc root/usr root/lib root/lib64 root/tmp
mount --bind "$(dirname "$0")" root/dist; mount --rbind /proc root/proc
for lib in lib lib64; do mount --bind /$lib root/$lib; done
cp services.yaml root/services.yaml
exec env SVC_SUPER_CONFIG=/services.yaml chroot root /dist/svc-super "$@"`;
    const options = { before: root, leaves: ['root'] };
    const why = /this image has no shell, which a command written as text needs/;
    await using run = await up({ services: { a: { command: 'serve --port 1' } } }, options);
    await run.ends(127);
    await run.line(why);
    await run.line(/Write it as a list/);
    await using check = await up(
      { services: { a: { command: 'serve' } } },
      { ...options, args: ['check', '--runtime'] },
    );
    await check.ends(78);
    await check.line(why);
  },
);

test('check --runtime in a running container does not report the ports of its own services as taken', async () => {
  const port = await freePort();
  const listen = `use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => ${port}) or die; sleep 600`;
  await using run = await up({
    services: { a: { command: ['perl', '-e', listen], port, ready: { tcp: true } }, b: played() },
  });
  await run.puppet('b');
  await run.state('a', 'ready');
  const { code, stdout } = await run.command('exec', 'b', '--', binary, 'check', '--runtime');
  expect(stdout).toContain(`✓ a  port ${port} is held by the service itself, which runs: pid`);
  expect(code).toBe(0);
});

describe('check --build', () => {
  const build = (services: object, files: Readonly<Record<string, string>> = {}, before = 'true') =>
    up({ services }, { args: ['check', '--build'], files, before });

  test('rejects a program that is in no folder of PATH, and that no task or hook could install', async () => {
    await using run = await build({ a: { command: 'no-such-program --port 1' } });
    await run.ends(78);
    await run.line(/✗ a {2}cannot execute no-such-program: it is in no folder of PATH/);
    await using brought = await build({
      a: { command: 'no-such-program', depends_on: ['install'] },
      b: { command: ['no-such-program'], hooks: { before_start: 'pip install it; true' } },
      install: { command: 'pip install it; true', type: 'task' },
    });
    await brought.ends(0);
  });

  test('accepts a missing path, which may be on a volume, and rejects one that cannot run', async () => {
    await using volume = await build({ a: { command: ['/models/serve'] } });
    await volume.ends(0);
    await using run = await build({ a: { command: ['./run.sh'] } }, CRLF.files, CRLF.before);
    await run.ends(78);
    await run.line(/its first line ends with CRLF/);
  });
});

describe('SIGKILL that is not permitted', () => {
  /** A copy of perl with the set-user-ID bit of root: it becomes root and ignores SIGTERM. */
  const options = {
    before: `cp "$(command -v perl)" privileged; chmod 4755 privileged; exec ${AS_NOBODY} "$0" "$@"`,
    leaves: ['privileged'],
  };
  const services = {
    a: {
      command: ['./privileged', '-e', '$< = 0; $> = 0; $SIG{TERM} = "IGNORE"; $| = 1; print "UP\n"; sleep 600 while 1'],
      ready: { log: 'UP' },
      stop: { timeout: '300ms' },
    },
    b: played(),
  };

  test.skipIf(!isRoot)('is reported with the process and the reason, and `stop --wait` fails', async () => {
    await using run = await up(
      { services, stop_timeout: '2s', exit: 'all' },
      { ...options, env: { SVC_SUPER_SOCKET: undefined, XDG_RUNTIME_DIR: undefined } },
    );
    await run.puppet('b');
    await run.line(/a ready/);
    const asked = Bun.spawnSync(
      ['nsenter', '-t', String(run.outerPid), '-a', ...AS_NOBODY.split(' '), binary, 'stop', 'a', '--wait'],
      { env: { PATH: process.env.PATH ?? '' } },
    );
    expect([asked.exitCode, asked.stderr.toString()]).toEqual([
      1,
      expect.stringMatching(
        /a is stopping: SIGKILL is not permitted to \S+ \(pid \d+\): another user's, and CAP_KILL is missing/,
      ),
    ]);
    await run.line(/a cannot be ended: SIGKILL is not permitted to \S+ \(pid \d+\)/);
    expect(run.lines.join('\n')).not.toMatch(/sent SIGKILL|\ba (?:stopped|was killed|exited)/);
  });
});

describe('an environment in which svc-super cannot run is reported in one sentence, with exit code 78:', () => {
  /** Runs it under a shell line. */
  const shell = (line: string, args: readonly string[] = []) => {
    const child = Bun.spawnSync(
      [
        'unshare',
        ...(isRoot ? [] : ['--user', '--map-root-user']),
        '--mount',
        '--pid',
        '--fork',
        'sh',
        '-c',
        `${line}; exec "$0" "$@"`,
        binary,
        ...args,
      ],
      {
        env: { PATH: process.env.PATH ?? '' },
      },
    );
    return { code: child.exitCode, text: child.stderr.toString() };
  };

  for (const [what, line, args] of [
    ['no /proc', 'umount -l /proc', []],
    ['no /proc, for `check`', 'umount -l /proc', ['check']],
    ['the /proc of another PID namespace', 'true', []],
    ['too little address space', 'mount -t proc proc /proc; ulimit -v 200000', []],
    ['too little data', 'mount -t proc proc /proc; ulimit -d 200000', []],
    ['too small a stack', 'mount -t proc proc /proc; ulimit -s 64', []],
    ['too little address space, for `status`', 'ulimit -v 200000', ['status']],
  ] as const) {
    test(what, () => {
      const { code, text } = shell(line, args);
      expect(text).toMatch(/^svc-super: cannot (?:supervise|run the supervisor): [^\n]+\n$/);
      expect(code).toBe(78);
    });
  }

  test('if the hard limit suffices, the soft limit is raised for the supervisor and kept for services', async () => {
    await using run = await up(
      { services: { a: { command: 'ulimit -Sv; ulimit -Sd; ulimit -Ss', log: { prefix: false } } } },
      {
        before: 'ulimit -Sv 200000; ulimit -Sd 200001; ulimit -Ss 128',
      },
    );
    await run.ends(0);
    expect(run.output.bytes('stdout').toString()).toBe('200000\n200001\n128\n');
  });
});

describe('stop_signals', () => {
  for (const [name, signal] of [
    ['PWR', 30],
    ['RTMIN+3', 37],
  ] as const) {
    test(`SIG${name} stops everything in order, with 0`, async () => {
      await using run = await up({ services: { a: { command: ['sleep', '600'] } } });
      await run.line(/a started/);
      run.signal(signal);
      await run.ends(0);
      await run.line(new RegExp(`SIG${name.replace('+', '\\+')} received: stopping everything`));
    });
  }

  test('a signal without a handler is reported once, with a suggestion', async () => {
    await using run = await up({ services: { a: { command: ['sleep', '600'] } } });
    await run.line(/a started/);
    run.signal('SIGWINCH');
    const first = await run.line(
      /warning: SIGWINCH received and ignored: .*add WINCH to `stop_signals`.*`forward: \[WINCH\]`/,
    );
    run.signal('SIGWINCH');
    run.signal('SIGUSR1');
    await run.line(/SIGUSR1 received and ignored/, { after: first });
    run.signal('SIGTERM');
    await run.ends(0);
    expect(run.lines.filter((line) => line.includes('SIGWINCH'))).toHaveLength(1);
  });

  test('contains the signals that stop, and no other signal does', async () => {
    await using run = await up({ stop_signals: ['WINCH'], services: { a: { command: ['sleep', '600'] } } });
    await run.line(/a started/);
    run.signal('SIGTERM');
    await run.line(/SIGTERM received and ignored/);
    run.signal('SIGWINCH');
    await run.ends(0);
  });

  test('must not contain a signal that is forwarded, or that cannot be caught', async () => {
    const check = (config: object) => up(config, { args: ['check'] });
    await using both = await check({
      stop_signals: ['USR1'],
      services: { a: { command: ['true'], forward: ['USR1'] } },
    });
    await both.ends(78);
    await both.line(/SIGUSR1 stops everything \(`stop_signals`\), so it cannot be forwarded to `a`/);
    await using never = await check({ stop_signals: ['KILL'], services: { a: { command: ['true'] } } });
    await never.ends(78);
    await never.line(/SIGKILL cannot be a stop signal/);
  });
});
