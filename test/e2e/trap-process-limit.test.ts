// A service uses up the process limit. From then on the supervisor's runtime cannot create a thread, and could end at its next
// garbage collection, or never close a descriptor again; PID 1 cannot spawn. Both must keep running, observing, responding and
// acting, and everything must recover when the limit does.
import { expect, test } from 'bun:test';
import {
  freePort,
  isNode,
  type Puppet,
  played,
  puppetCommand,
  type Run,
  start,
  until,
  up,
  useRig,
} from '../helpers/rig.ts';
import { limitProcesses } from '../helpers/trap-limits.ts';

useRig();

const MOST = 48;

/** Ten orphans, whose parent is PID 1 from then on; and a process that takes every place that becomes free. */
const FILL = `
  my $first = fork() // die "fork: $!\\n";
  if ($first == 0) {
    close($test);
    for (1 .. 10) { my $child = fork(); if (defined $child && $child == 0) { sleep 1000 while 1 } }
    POSIX::_exit(0);
  }
  waitpid($first, 0);
  my $second = fork() // die "fork: $!\\n";
  if ($second == 0) {
    close($test);
    $SIG{CHLD} = 'IGNORE';
    # Were there no limit, this would be the end of it.
    for (my $made = 0; $made < 500; ) {
      my $child = fork();
      if (!defined $child) { select(undef, undef, undef, 0.001); next }
      if ($child == 0) { sleep 1000 while 1 }
      $made += 1;
    }
    sleep 1000 while 1;
  }
  undef`;

/** Takes every current place, and none that becomes free. */
const FILL_ONCE = `
  my $made = 0;
  while ($made < 500 && defined(my $child = fork())) {
    if ($child == 0) { close($test); sleep 1000 while 1 }
    $made += 1;
  }
  $made`;

const REFUSED = `
  my $child = fork();
  if (defined $child && $child == 0) { close($test); POSIX::_exit(0) }
  if (defined $child) { waitpid($child, 0) }
  defined $child ? 'no' : 'yes'`;

/** Has a puppet use up the limit; resolves when fork fails. */
async function useUp(hog: Puppet): Promise<void> {
  await hog.eval(FILL);
  await until('the limit to be used up', async () => (await hog.eval(REFUSED)) === 'yes');
}

/** Children of PID 1 that are not main processes. */
function orphans(run: Run, mains: readonly Puppet[]) {
  const pids = mains.map(({ pid }) => pid);
  return run.ps().filter(({ pid, outerParent }) => outerParent === run.outerPid && !pids.includes(pid));
}

/** Allocates much memory, so that garbage is collected repeatedly. */
async function churn(run: Run, talker: Puppet): Promise<void> {
  for (let round = 0; round < 15; round += 1) {
    await Promise.all([run.status(), run.status(), talker.flood(10_000, 100, 1, 2)]);
  }
}

test('a service that uses up the process limit ends no other, and everything recovers when it has ended', async () => {
  using limit = limitProcesses(MOST);
  const port = await freePort();
  const watched = { interval: '50ms', continuous: true };
  await using run = await up(
    {
      exit: 'failure',
      services: {
        hog: played({ essential: false }),
        http: played({ ready: { http: `http://127.0.0.1:${port}/`, ...watched } }),
        tcp: played({ ready: { tcp: port, ...watched }, depends_on: ['http'] }),
        exec: played({ ready: { exec: ['/bin/true'], ...watched }, essential: false }),
        talker: played({ forward: ['USR1'] }),
        late: played({
          essential: false,
          restart: { policy: 'always', backoff: { initial: '100ms', max: '200ms' } },
        }),
      },
    },
    { before: limit.before },
  );
  const [hog, http, exec, talker, late] = await Promise.all(
    ['hog', 'http', 'exec', 'talker', 'late'].map((name) => run.puppet(name)),
  );
  if (!hog || !http || !exec || !talker || !late) throw new Error('unreachable');
  await http.listen(port);
  const tcp = await run.puppet('tcp');
  await run.line(/everything (?:is ready|has started)/);
  const before = run.descriptors();
  const mains = [hog, http, tcp, exec, talker, late];

  await useUp(hog);
  // A refused spawn is reported, and the restart policy of the service applies.
  run.kill(late.pid);
  await run.line(/late could not be started: cannot fork: the process limit is used up; starting again in/);
  const refused = await run.line(/late could not be started: cannot fork/);
  await run.line(/late could not be started: cannot fork/, { after: refused });

  await churn(run, talker);

  // It receives signals, and orphans are reaped at once.
  await talker.trap('USR1');
  run.signal('SIGUSR1');
  await talker.signalled('SIGUSR1');
  const found = orphans(run, mains);
  expect(found.length).toBeGreaterThanOrEqual(10);
  for (const { pid } of found) {
    run.kill(pid);
    await run.reaped(pid);
  }

  // Probes report changes. A probe that must spawn reports why it cannot.
  await run.state('tcp', 'ready');
  await http.respond(503, 'no');
  expect((await run.state('http', 'unready')).reason).toContain('503');
  await http.respond(200, 'yes');
  await run.state('http', 'ready');
  await http.eval('do_unlisten()');
  await run.state('tcp', 'unready');
  await http.listen(port);
  await run.state('tcp', 'ready');
  expect((await run.state('exec', 'unready')).reason).toContain('cannot fork: the process limit is used up');

  // Descriptors of ended processes are closed, although the runtime closes them on a thread.
  await until('descriptors to be closed', () => run.descriptors() <= before + 4);

  // The service that used up the limit ends, with all its processes.
  run.kill(hog.pid);
  await run.state('hog', 'failed');
  await run.state('late', 'ready');
  await run.state('exec', 'ready');
  await until('descriptors to be closed', () => run.descriptors() <= before + 4);
  expect(run.lines.filter((line) => /a bug|panic/.test(line))).toEqual([]);
  await talker.exit(9);
  await run.ends(9);
});

test('without space for a thread an http probe works: it needs none', async () => {
  using server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('yes') });
  const web = { command: ['/bin/sleep', '1000'], ready: { http: server.url.href } };
  // The number of threads of the runtime varies: at one of these limits there is space for PID 1, the supervisor and the service
  // only.
  // Node creates 7 threads at its start, and aborts if it cannot (its V8 platform has no way to fail).
  for (const most of isNode ? [16, 15, 14, 13, 12] : [10, 9, 8, 7, 6]) {
    using limit = limitProcesses(most);
    await using run = await up({ services: { web: { ...web, restart: 'always' } } }, { before: limit.before });
    await run.state('web', 'ready');
    limit.widen(run.outerPid, run.supervisor.outer);
    run.signal('SIGTERM');
    await run.ends(0);
  }
});

test('at the process limit descriptors are closed as usual, although the runtime closes them on a thread', async () => {
  using limit = limitProcesses(MOST);
  const late = { essential: false, restart: { policy: 'always', backoff: { initial: '20ms', max: '50ms' } } };
  const names = ['one', 'two', 'three', 'four', 'five'];
  const services = {
    hog: played({ essential: false }),
    ...Object.fromEntries(names.map((name) => [name, played(late)])),
  };
  await using run = await up({ services }, { before: limit.before });
  const hog = await run.puppet('hog');
  const quiet = await Promise.all(names.map((name) => run.puppet(name)));
  await run.line(/everything (?:is ready|has started)/);
  const before = run.descriptors();
  await useUp(hog);
  // Pipes are closed, but no process ends that would make space for a thread.
  for (const puppet of quiet) await puppet.close(1, 2);
  await until('the pipes to be closed', () => run.descriptors() <= before - 2 * names.length + 2);
  for (const { pid } of quiet) run.kill(pid);
  const refusals = () => run.lines.filter((line) => line.includes('could not be started: cannot fork')).length;
  await until('fifty refusals', () => refusals() > 50);
  expect(run.descriptors()).toBeLessThanOrEqual(before);
  run.kill(hog.pid);
  for (const name of names) await run.state(name, 'ready');
  await until('descriptors to be as many as at first', () => run.descriptors() <= before + 4);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('a service with process attributes needs only its own place', async () => {
  using limit = limitProcesses(MOST);
  const again = { essential: false, restart: { policy: 'always', backoff: { initial: '50ms', max: '50ms' } } };
  await using run = await up(
    { services: { hog: played(), late: played({ umask: '022', ...again }) } },
    { before: limit.before },
  );
  const [hog, late] = await Promise.all([run.puppet('hog'), run.puppet('late')]);
  await run.line(/everything (?:is ready|has started)/);
  await hog.eval(FILL_ONCE);
  // The place of one is all that there is for the next.
  run.kill(late.pid);
  expect((await (await run.puppet('late', 2)).facts()).umask).toBe('0022');
  run.kill(hog.pid);
  await run.ends(137);
  expect(run.lines.filter((line) => /panic|oh no/.test(line))).toEqual([]);
});

test('at the process limit everything can be stopped', async () => {
  using limit = limitProcesses(MOST);
  await using run = await up(
    { services: { hog: played(), talker: played({ depends_on: ['hog'] }) } },
    { before: limit.before },
  );
  const [hog, talker] = await Promise.all([run.puppet('hog'), run.puppet('talker')]);
  await useUp(hog);
  await churn(run, talker);
  run.signal('SIGTERM');
  await run.line(/talker stopped/);
  await run.ends(0);
});

test('at the process limit the exit of a service ends everything with its code, and is explained', async () => {
  using limit = limitProcesses(MOST);
  await using run = await up({ services: { hog: played(), main: played() } }, { before: limit.before });
  const [hog, main] = await Promise.all([run.puppet('hog'), run.puppet('main')]);
  await useUp(hog);
  await main.print('my last line');
  await main.exit(7);
  await run.line(/svc-super \| error: main exited with code 7/);
  await run.line(/svc-super \| error: {3}my last line/);
  await run.ends(7);
});

test('init: a command that uses up the process limit is handled as usual', async () => {
  using limit = limitProcesses(MOST);
  await using run = await start(['init', '--', '/usr/bin/perl', ...puppetCommand.slice(1)], {
    before: limit.before,
    env: { SVC_NAME: 'command' },
  });
  const command = await run.puppet('command');
  await useUp(command);
  for (const { pid } of orphans(run, [command])) {
    run.kill(pid);
    await run.reaped(pid);
  }
  await command.trap('USR1');
  run.signal('SIGUSR1');
  await command.signalled('SIGUSR1');
  await command.exit(4);
  await run.ends(4);
});
