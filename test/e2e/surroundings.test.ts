// Unusual environments and services: closed standard streams, an empty environment, inherited descriptors and masks, few open
// files, services that signal every process, that restart hundreds of times or print an endless line.
import { expect, test } from 'bun:test';
import { isRoot, played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const ODD: Readonly<Record<string, string>> = {
  'with standard input closed': 'exec 0<&-',
  'with standard output closed': 'exec 1>&-',
  'with standard error closed': 'exec 2>&-',
  'with all standard streams closed': 'exec 0<&- 1>&- 2>&-',
  'with foreign descriptors open': 'exec 5</etc/passwd 9</etc/group',
  'with a umask of 777': 'umask 777',
  'with SIGCHLD ignored': 'trap "" CHLD',
  'with the signals that it lives by ignored': 'trap "" TERM INT QUIT HUP USR1 PIPE CHLD',
  'with 40 open files': 'ulimit -n 40',
  'with 256 open files, hard': 'ulimit -n 256',
  'with no space left for files of its own': 'ulimit -f 0',
  ...(isRoot && {
    'without capabilities and new privileges': 'exec setpriv --no-new-privs --bounding-set=-all "$0" "$@"',
    'as a foreign user without new privileges, where /proc shows it only its own processes': [
      'mount -o remount,hidepid=2 /proc && chown 65534 .',
      'exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$0" "$@"',
    ].join('\n'),
  }),
};

for (const [how, before] of Object.entries(ODD)) {
  test(`${how} it starts, probes, responds, and exits with the right code`, async () => {
    await using run = await up(
      {
        services: {
          plain: played({ ready: { exec: 'true' } }),
          prepared: played({ umask: '022', ready: { notify: true } }),
        },
      },
      { before },
    );
    const [plain, prepared] = [await run.puppet('plain'), await run.puppet('prepared')];
    await prepared.notify();
    for (const puppet of [plain, prepared]) {
      const { descriptors, blocked } = await puppet.facts();
      expect([Object.keys(descriptors), blocked]).toEqual([['0', '1', '2'], '0000000000000000']);
    }
    await run.state('plain', 'ready');
    await run.state('prepared', 'ready');
    await plain.exit(7);
    await run.ends(7);
  });
}

test('it starts in a removed folder', async () => {
  await using run = await up({ services: { a: played() } }, { before: 'mkdir gone; cd gone; rmdir ../gone' });
  await (await run.puppet('a')).exit(7);
  await run.ends(7);
});

test("with an empty environment services get the supervisor's variables only", async () => {
  await using run = await up(
    { services: { a: played() } },
    { before: `exec env -i SVC_SUPER_SOCKET="$SVC_SUPER_SOCKET" "$0" up -f services.yaml` },
  );
  const { env } = await (await run.puppet('a')).facts();
  expect(Object.keys(env).sort()).toEqual(['SPT_NOENV', 'SVC_NAME', 'SVC_RUN', 'SVC_SUPER_SOCKET']);
});

test('a service that cannot start because of too few descriptors is reported, with the limit', async () => {
  const services = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`s${index}`, played()]));
  await using run = await up({ services }, { before: 'ulimit -n 40' });
  await run.ends(1);
  await run.line(/s\d could not be started: the limit of 40 open files is reached/);
});

test('a service that sends SIGKILL to every process ends the others: the successor of the supervisor reports their exits', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  // kill(-1) spares its caller.
  await a.eval("kill 'KILL', -1; undef");
  await b.gone;
  await run.ends(137);
  await run.line(/the supervisor was killed by SIGKILL and was restarted/);
  await run.line(/stopping everything: b failed/);
});

test('a service that sends SIGTERM to every process ends the others, and the container in order', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  // For PID 1 it is a request to stop; the other services die of it at the same time. Either may be first.
  await a.trap('TERM');
  await a.eval("kill 'TERM', -1; undef");
  await b.gone;
  await a.exit(0).catch(() => undefined);
  const { code } = await run.ended;
  expect([0, 143]).toContain(code ?? -1);
});

test('a service that signals its whole group ends itself only', async () => {
  await using run = await up({ services: { a: played({ essential: false }), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.trap('TERM');
  await a.eval("kill 'TERM', 0; undef").catch(() => undefined);
  expect((await run.state('a', 'failed')).exit).toEqual({ code: null, signal: 'SIGTERM' });
  expect(await b.caught()).toEqual([]);
});

test('a process that leaves the group of its service is cleaned up too', async () => {
  await using run = await up({ services: { a: played({ stop: { to: 'group' } }) } }, { pid1: false });
  const a = await run.puppet('a');
  await a.spawn('kid');
  const kid = await run.puppet('kid');
  await kid.eval('setpgrp(0, 0); undef');
  await kid.trap('TERM');
  run.signal('SIGTERM');
  await a.gone;
  await kid.signalled('SIGTERM');
  await kid.exit(0);
  await run.ends(0);
});

test('hundreds of restarts leave no descriptor and no process behind', async () => {
  const restart = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };
  await using run = await up({
    services: {
      plain: { command: 'sleep 100 & exit 1', restart },
      prepared: { command: 'exit 2', umask: '022', ready: { notify: true }, restart },
      probed: { command: 'exit 3', ready: [{ notify: { fd: 3 } }, { exec: 'true' }], restart },
    },
  });
  const restarted = async (count: number) => {
    const { services } = await run.status();
    return services.every(({ restarts }) => restarts >= count);
  };
  await until('some restarts', () => restarted(10));
  const before = run.descriptors();
  await until('a hundred restarts', () => restarted(100));
  // A run in progress has some ten of its own.
  expect(Math.abs(run.descriptors() - before)).toBeLessThan(40);
  expect(run.ps().length).toBeLessThan(12);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a hundred services become ready and stop', async () => {
  const services = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`s${index}`, { command: ['sleep', '1000'], ready: { exec: 'true' } }]),
  );
  await using run = await up({ services });
  await until('all to be ready', async () => (await run.status()).healthy);
  expect(run.ps().length).toBe(100);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('an endless line takes no memory, and is complete', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  const before = run.memory('RssAnon');
  await a.eval(`for (1 .. 400) { put(to_handle(1), 'x' x 100_000) } undef`);
  await a.print('');
  await a.print('done');
  await run.line(/\| done$/);
  expect(run.memory('RssAnon') - before).toBeLessThan(36 * 1024 * 1024);
  const text = run.output.bytes('stdout').toString('latin1');
  expect(text.match(/x/g)?.length).toBe(400 * 100_000);
});
