// A program's process at its first instruction, seen from inside: session, group, standard input, descriptors, signals; and the
// fields cwd, user, umask, nice, oom_score_adj, cpus, limits.
import { expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Facts } from '../helpers/puppet.ts';
import { binary, isRoot, played, type Run, supervisorFile, type UpOptions, up, useRig } from '../helpers/rig.ts';

useRig();

/** Whether root may raise limits here: CAP_SYS_RESOURCE, which containers rarely have. */
const mayRaise =
  isRoot &&
  (BigInt(`0x${/^CapEff:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`) & (1n << 24n)) !== 0n;

async function factsOf(run: Run, name = 'a'): Promise<Facts> {
  return (await run.puppet(name)).facts();
}

async function factsWith(fields: Readonly<Record<string, unknown>>, options: UpOptions = {}): Promise<Facts> {
  await using run = await up({ services: { a: played(fields) } }, options);
  return await factsOf(run);
}

/** A service without and one with attributes that PID 1 applies before the exec: the rest must be the same for both. */
const WAYS = [
  ['through the plain spawn', {}],
  ['with attributes of its own', { umask: '022' }],
] as const;

for (const [way, fields] of WAYS) {
  test(`it leads its own session and process group, ${way}`, async () => {
    const { pid, sid, pgid, ppid } = await factsWith(fields);
    expect({ sid, pgid, ppid }).toEqual({ sid: pid, pgid: pid, ppid: 1 });
  });

  test(`standard input is /dev/null, output and error are pipes, no other descriptor is open, ${way}`, async () => {
    const { descriptors } = await factsWith(fields);
    expect(Object.keys(descriptors)).toEqual(['0', '1', '2']);
    expect(descriptors[0]).toBe('/dev/null');
    expect(descriptors[1]).toStartWith('pipe:');
    expect(descriptors[2]).toStartWith('pipe:');
    expect(descriptors[1]).not.toBe(descriptors[2] ?? '');
  });

  test(`descriptors of other services do not leak into it, ${way}`, async () => {
    await using run = await up({
      services: {
        one: played({ ready: { notify: { fd: 3 } } }),
        two: played({ ready: { notify: true }, live: { exec: 'true', interval: '10ms' } }),
        a: played({ depends_on: ['one', 'two'], ...fields }),
      },
    });
    await (await run.puppet('one')).write(3, '\n');
    await (await run.puppet('two')).notify();
    await run.status();
    expect(Object.keys((await factsOf(run)).descriptors)).toEqual(['0', '1', '2']);
  });

  test(`no signal is blocked or ignored, ${way}`, async () => {
    // grep does not change its signals, unlike Perl, which ignores SIGFPE.
    await using run = await up({
      services: { a: { command: ['grep', '-E', 'Sig(Blk|Ign)', '/proc/self/status'], ...fields } },
    });
    await run.ends(0);
    for (const name of ['SigBlk', 'SigIgn']) await run.line(new RegExp(`a +\\| ${name}:\\t0000000000000000$`));
  });

  test(`no signal is blocked or ignored even if the supervisor was started so, ${way}`, async () => {
    await using run = await up(
      { services: { a: { command: ['grep', '-E', 'Sig(Blk|Ign)', '/proc/self/status'], ...fields } } },
      { before: 'trap "" HUP INT USR1 PIPE TERM' },
    );
    await run.ends(0);
    await run.line(/SigBlk:\t0000000000000000$/);
  });

  test(`the soft NOFILE limit is the container's, not the one that the supervisor raises for itself, ${way}`, async () => {
    const { limits } = await factsWith(fields, { before: 'ulimit -Sn 256; ulimit -Hn 4096' });
    expect(limits['open files']).toEqual(['256', '4096']);
  });

  test(`cwd: the folder is the working directory, ${way}`, async () => {
    expect((await factsWith({ cwd: '/usr/lib', ...fields })).cwd).toBe('/usr/lib');
  });

  test(`cwd: without one it is the supervisor's, ${way}`, async () => {
    expect((await factsWith(fields, { cwd: '/usr' })).cwd).toBe('/usr');
  });

  test(`the umask, priority and processors are inherited, ${way}`, async () => {
    const { umask, nice } = await factsWith(way === 'with attributes of its own' ? { nice: 3 } : {}, {
      before: 'umask 027; true',
    });
    expect({ umask, nice }).toEqual({ umask: '0027', nice: way === 'with attributes of its own' ? 3 : 0 });
  });
}

test('umask', async () => {
  expect((await factsWith({ umask: '077' })).umask).toBe('0077');
  expect((await factsWith({ umask: '0002' })).umask).toBe('0002');
});

test('nice', async () => {
  expect((await factsWith({ nice: 7 })).nice).toBe(7);
});

test.skipIf(!isRoot)('nice below zero', async () => {
  expect((await factsWith({ nice: -5 })).nice).toBe(-5);
});

test('oom_score_adj', async () => {
  expect((await factsWith({ oom_score_adj: 500 })).oomScoreAdj).toBe(500);
});

test('cpus', async () => {
  expect((await factsWith({ cpus: '0' })).cpus).toBe('0');
});

test('cpus: a list and a range', async () => {
  if (cpus().length < 2) return;
  expect((await factsWith({ cpus: '1' })).cpus).toBe('1');
  expect((await factsWith({ cpus: '0-1' })).cpus).toBe('0-1');
  expect((await factsWith({ cpus: '0,1' })).cpus).toBe('0-1');
});

test('cpus: missing processors are reported as the failed step', async () => {
  await using run = await up({ services: { a: played({ cpus: '900' }) } });
  await run.ends(126);
  await run.line(/a could not be started.*: cannot set cpus to 900/);
});

test('limits: soft and hard, sizes, and their own soft one', async () => {
  const { limits } = await factsWith({
    limits: { nofile: 300, core: { soft: 0, hard: '1MiB' }, stack: '4MiB', cpu: 100, nproc: { soft: 500, hard: 600 } },
  });
  expect(limits).toMatchObject({
    'open files': ['300', '300'],
    'core file size': ['0', '1048576'],
    'stack size': ['4194304', '4194304'],
    'cpu time': ['100', '100'],
    processes: ['500', '600'],
  });
});

test.skipIf(!isRoot)('limits hold for a service of another user', async () => {
  const { limits, uids, nice } = await factsWith({ user: 'nobody', limits: { nofile: 300, core: 0 }, nice: -3 });
  expect([uids.split('\t')[0], nice]).toEqual(['65534', -3]);
  expect(limits).toMatchObject({ 'open files': ['300', '300'], 'core file size': ['0', '0'] });
});

if (mayRaise) {
  test('oom_score_adj below zero, as another user', async () => {
    expect((await factsWith({ oom_score_adj: -500, user: 'nobody' })).oomScoreAdj).toBe(-500);
  });

  test('limits: unlimited, and above the hard limit with the privilege', async () => {
    const { limits } = await factsWith(
      { limits: { memlock: 'unlimited', nofile: 8_192, rtprio: 10, nice: 20 } },
      { before: 'ulimit -n 1024; ulimit -l 64' },
    );
    expect(limits).toMatchObject({
      'locked memory': ['unlimited', 'unlimited'],
      'open files': ['8192', '8192'],
      'realtime priority': ['10', '10'],
      'nice priority': ['20', '20'],
    });
  });

  test('limits of a service of another user, who could not have raised them', async () => {
    const { limits, uids } = await factsWith(
      { user: 'nobody', limits: { nofile: 8_192, memlock: 'unlimited' }, nice: -3 },
      { before: 'ulimit -n 1024; ulimit -l 64' },
    );
    expect(uids).toStartWith('65534\t65534');
    expect(limits).toMatchObject({ 'open files': ['8192', '8192'], 'locked memory': ['unlimited', 'unlimited'] });
  });
} else {
  test('a limit above the hard one without the privilege is reported as the failed step', async () => {
    await using run = await up(
      { services: { a: played({ limits: { nofile: 8_192 } }) } },
      { before: 'ulimit -n 1024' },
    );
    await run.ends(126);
    await run.line(/a could not be started.*: cannot set limits\.nofile: .*not permitted/);
  });
}

test('limits of one service are not those of another', async () => {
  await using run = await up(
    { services: { a: played({ limits: { nofile: 300 } }), b: played() } },
    { before: 'ulimit -Sn 256' },
  );
  expect((await factsOf(run, 'a')).limits['open files']).toEqual(['300', '300']);
  expect((await factsOf(run, 'b')).limits['open files']?.[0]).toBe('256');
});

const ACCOUNTS: UpOptions = {
  files: {
    passwd: 'root:x:0:0::/root:/bin/sh\nwww:x:1234:5000::/var/www:/bin/sh\nlone:x:1235:5001::/:/bin/sh\n',
    group: 'root:x:0:\nwww:x:5000:\nlone:x:5001:\nvideo:x:44:www,other\nrender:x:105:www\nother:x:77:other\n',
  },
  before: 'mount --bind passwd /etc/passwd; mount --bind group /etc/group',
};

test.skipIf(!isRoot)('user: by name: its uid, its group and all its supplementary groups', async () => {
  const { uids, gids, groups } = await factsWith({ user: 'www' }, ACCOUNTS);
  expect(uids).toBe('1234\t1234\t1234\t1234');
  expect(gids).toBe('5000\t5000\t5000\t5000');
  expect(groups).toEqual(['44', '105', '5000']);
});

test.skipIf(!isRoot)('user: by number, with an entry: as by name', async () => {
  const { uids, gids, groups } = await factsWith({ user: 1234 }, ACCOUNTS);
  expect([uids.split('\t')[0], gids.split('\t')[0], groups]).toEqual(['1234', '5000', ['44', '105', '5000']]);
});

test.skipIf(!isRoot)('user: by number, without an entry: group 0 only', async () => {
  const { uids, gids, groups } = await factsWith({ user: 4321 }, ACCOUNTS);
  expect([uids.split('\t')[0], gids.split('\t')[0], groups]).toEqual(['4321', '0', ['0']]);
});

test.skipIf(!isRoot)('user: with a group: only that one', async () => {
  const named = await factsWith({ user: 'www:video' }, ACCOUNTS);
  expect([named.uids.split('\t')[0], named.gids.split('\t')[0], named.groups]).toEqual(['1234', '44', ['44']]);
  const numbered = await factsWith({ user: '1500:1600' }, ACCOUNTS);
  expect([numbered.uids.split('\t')[0], numbered.gids.split('\t')[0], numbered.groups]).toEqual([
    '1500',
    '1600',
    ['1600'],
  ]);
});

test.skipIf(!isRoot)("without user it is the supervisor's user, with its groups", async () => {
  const { uids, groups } = await factsWith({}, { before: 'exec setpriv --groups 7,8 "$0" "$@"' });
  expect(uids).toStartWith('0\t0');
  expect(groups).toEqual(['7', '8']);
});

test.skipIf(!isRoot)('as another user the supervisor may still set that user', async () => {
  const { uids } = await factsWith(
    { user: 'nobody' },
    { before: 'chmod 777 .; exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" "$@"' },
  );
  expect(uids).toBe('65534\t65534\t65534\t65534');
});

test.skipIf(!isRoot)('without the privilege to become that user it is reported as the failed step', async () => {
  await using run = await up(
    { services: { a: played({ user: 'daemon' }) } },
    {
      before: 'chmod 777 .; exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" "$@"',
    },
  );
  await run.ends(126);
  await run.line(/a could not be started.*: cannot become user daemon: .*not permitted/);
});

test.skipIf(!isRoot)('all attributes together apply at the first instruction', async () => {
  const facts = await factsWith(
    {
      user: 'www',
      cwd: '/usr',
      umask: '027',
      nice: 4,
      oom_score_adj: 300,
      cpus: '0',
      limits: { nofile: 500, core: 0 },
      env: { A: 'b' },
    },
    ACCOUNTS,
  );
  expect(facts).toMatchObject({
    cwd: '/usr',
    umask: '0027',
    nice: 4,
    oomScoreAdj: 300,
    cpus: '0',
    groups: ['44', '105', '5000'],
  });
  expect(facts.uids).toStartWith('1234\t1234\t1234');
  expect(facts.limits).toMatchObject({ 'open files': ['500', '500'], 'core file size': ['0', '0'] });
  expect(facts.env).toMatchObject({ A: 'b', SVC_NAME: 'a', HOME: '/var/www', USER: 'www' });
  expect([facts.pid, facts.pgid]).toEqual([facts.sid, facts.sid]);
});

test('the second run begins like the first', async () => {
  await using run = await up(
    {
      services: {
        a: played({
          umask: '027',
          nice: 2,
          limits: { nofile: 500 },
          restart: { policy: 'always', backoff: { initial: '1ms' } },
        }),
      },
    },
    { before: 'ulimit -Sn 256' },
  );
  const first = await run.puppet('a', 1);
  const before = await first.facts();
  await first.exit(1);
  const after = await (await run.puppet('a', 2)).facts();
  expect(after).toMatchObject({ umask: '0027', nice: 2 });
  const { 'file locks': _mark, ...limits } = before.limits;
  expect(after.limits).toMatchObject(limits);
  expect(Object.keys(after.descriptors)).toEqual(Object.keys(before.descriptors));
});

test('a service restarts after both files of svc-super have been removed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-removed-'));
  try {
    const copy = join(folder, 'svc-super');
    const supervisor = join(folder, 'svc-super-supervisor');
    copyFileSync(binary, copy);
    copyFileSync(supervisorFile, supervisor);
    const service = {
      command: ['sh', '-c', 'echo began; until [ ! -e svc-super ]; do sleep 0.02; done; exit 3'],
      nice: 3,
      restart: { policy: 'on-failure', max: 1, backoff: { initial: '1ms' } },
    };
    writeFileSync(join(folder, 'services.yaml'), JSON.stringify({ services: { a: service } }));
    const child = Bun.spawn([copy], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SVC_SUPER_SOCKET: join(folder, 'control.sock') },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    for await (const chunk of child.stdout) {
      output += Buffer.from(chunk).toString();
      if (output.includes('began')) for (const file of [supervisor, copy]) rmSync(file, { force: true });
    }
    expect([output.match(/began/g)?.length, await child.exited]).toEqual([2, 3]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
