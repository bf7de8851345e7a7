// Processes in a real container: what is left of a service is found and ended, orphans are reaped, others' processes are
// left alone, whether svc-super is PID 1, stands behind another init, or shares the namespace of another container.
import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Container, stillAlive } from '../helpers/container.ts';
import { until } from '../helpers/container-tools.ts';

/**
 * A main process and two daemons in sessions of their own: one under another name, deaf to SIGTERM, one without any
 * environment. Each tells its birth through a pipe.
 */
const FAMILY = `exec perl -e '
  use POSIX ();
  $| = 1;
  pipe BIRTHS, TELL;
  sub beget {
    my $work = shift;
    return sysread BIRTHS, my $birth, 1 if fork;
    POSIX::setsid();
    exit if fork;
    $work->();
  }
  beget(sub { $SIG{TERM} = "IGNORE"; $0 = "deaf-daemon"; syswrite TELL, "x"; sleep 600; exit });
  beget(sub { syswrite TELL, "x"; exec "env", "-i", "sleep", "601" });
  print "family of $$ is complete, run $ENV{SVC_RUN}\\n";
  sleep 602;
'`;
const family = (rest: string) =>
  `services:\n  family:\n    command: |\n${FAMILY.replaceAll(/^/gm, '      ')}\n    ready: { log: is complete }\n    ${rest}\n`;

/** The pid, as numbered out here, of the family's main process. */
async function mainOf(container: Container): Promise<number> {
  const found = (await container.processes()).find(({ args }) => args.startsWith('perl -e'));
  if (found === undefined) throw new Error('the family has no main process');
  return found.pid;
}

const members = async (container: Container) =>
  (await container.processes()).filter(({ args }) => /^(?:perl -e|deaf-daemon|sleep 601)/.test(args));

/** Kills the main process and expects the rest to go with it. */
async function killsWhole(container: Container): Promise<void> {
  await container.healthy();
  const before = await until('the whole family', async () => {
    const found = await members(container);
    return found.length === 3 && found;
  });
  process.kill(await mainOf(container), 'SIGKILL');
  expect(await container.ended()).toBe(137);
  expect(stillAlive(before)).toEqual([]);
  const { stderr } = await container.logs();
  expect(stderr).toMatch(/cleaned up 2 processes of family: .*deaf-daemon/);
  expect(stderr).toMatch(/cleaned up 2 processes of family: .*sleep/);
}

export function processes(): void {
  test('there is no ps in the image, and no svc-super command needs one', async () => {
    const { code, stdout } = await Container.run({ args: ['bash', '-c', 'type -P ps pgrep pkill; svc-super version'] });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^svc-super \d+\.\d+\.\d+\n$/);
  });

  test('a main process that is killed takes its children in other sessions with it, and the code is 137', async () => {
    await using container = await Container.start({ services: family('restart: never') });
    await killsWhole(container);
  });

  test('the next run starts only when nothing is left of the one that was killed', async () => {
    const services = family('restart: { policy: on-failure, backoff: { initial: 10ms } }');
    await using container = await Container.start({ services });
    await container.said(/run 1$/m);
    const before = await until('the whole family', async () => {
      const found = await members(container);
      return found.length === 3 && found;
    });
    process.kill(await mainOf(container), 'SIGKILL');
    await container.said(/run 2$/m);
    expect(stillAlive(before)).toEqual([]);
    const { stderr } = await container.logs();
    expect(stderr.indexOf('cleaned up 2 processes')).toBeGreaterThan(0);
    expect(stderr.indexOf('cleaned up 2 processes')).toBeLessThan(stderr.lastIndexOf('family started'));
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('137'); // the deaf daemon had to be killed
  });

  test('orphans are reaped at once, and no zombie stays', async () => {
    const command = `i=0; while [ $i -lt 500 ]; do i=$((i+1)); (setsid sh -c "exit 3" &) ; done; echo all born; exec sleep 600`;
    const services = `services:\n  father: { command: '${command}' }\n`;
    await using container = await Container.start({ services });
    await container.said(/all born/);
    await until('three processes to be all there is', async () => (await container.processes()).length === 3);
    const all = await container.processes();
    expect(all.map(({ args }) => args)).toEqual(['svc-super', '/usr/local/bin/svc-super-supervisor', 'sleep 600']);
  });

  test('behind another init (podman run --init) it does all this as a subreaper', async () => {
    const flags = ['--init', '--init-path', Bun.which('catatonit') ?? ''];
    await using container = await Container.start({ services: family('restart: never'), flags });
    await container.healthy();
    const { pid } = JSON.parse((await container.exec('svc-super', 'status', '--json')).stdout);
    expect(pid).toBeGreaterThan(1);
    await killsWhole(container);
  });

  test('in the PID namespace of another container it signals none of that container', async () => {
    await using other = await Container.start({ args: ['sh', '-c', 'setsid sleep 700 & sleep 701 & wait'] });
    await until('the other container', async () => (await other.processes()).some(({ args }) => args === 'sleep 700'));
    const foreign = await other.processes();
    const flags = ['--pid', `container:${other.name}`];
    await using container = await Container.start({ services: family('restart: never'), flags });
    await killsWhole(container);
    expect(stillAlive(foreign)).toEqual(foreign);

    await using stopped = await Container.start({ services: family('stop: { to: group }'), flags });
    await stopped.healthy();
    await stopped.podman('stop');
    expect(await stopped.inspect('{{.State.ExitCode}}')).toBe('137'); // the deaf daemon
    expect(stillAlive(foreign)).toEqual(foreign);
  });

  test('where seccomp refuses pidfd_open, codes, orphans and stopping are as ever', async () => {
    const profile = JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8'));
    for (const rule of profile.syscalls) rule.names = rule.names.filter((name: string) => name !== 'pidfd_open');
    profile.syscalls.push({ names: ['pidfd_open'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [] });
    const services = `services:\n  father: { command: '(setsid sleep 0.1 &) ; echo up; trap "exit 0" TERM; while :; do sleep 0.05; done' }\n`;
    const file = join(process.env.TMPDIR ?? '/tmp', `svc-super-seccomp-${process.pid}.json`);
    writeFileSync(file, JSON.stringify(profile));
    const flags = ['--security-opt', `seccomp=${file}`];
    try {
      await using container = await Container.start({ services, flags });
      await container.healthy();
      await container.said(/\| up$/m);
      await until('no zombie to be there', async () =>
        (await container.processes()).every(({ state }) => state !== 'Z'),
      );
      await container.podman('stop');
      expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
      const { code } = await Container.run({ services: 'services:\n  one: { command: exit 41 }\n', flags });
      expect(code).toBe(41);
      await using killed = await Container.start({ services: family('restart: never'), flags });
      await killsWhole(killed);
    } finally {
      await Bun.file(file).delete();
    }
  });

  test('a program as first argument is run as the one command of this PID 1: bash -c, with its code', async () => {
    const told = await Container.run({ args: ['bash', '-c', 'echo $$ $PPID; echo words >&2; exit 9'] });
    expect(told.code).toBe(9);
    const [pid, parent] = told.stdout.trim().split(' ').map(Number);
    expect(parent).toBe(1);
    expect(pid).toBeGreaterThan(1);
    expect(told.stderr).toBe('words\n');
    expect((await Container.run({ args: ['bash', '-c', 'kill -KILL $$'] })).code).toBe(137);
    expect((await Container.run({ args: ['init', '--', 'no-such-program'] })).code).toBe(127);
    expect((await Container.run({ args: ['version'] })).stdout).toStartWith('svc-super ');
  });

  test('that one command gets the signals, and its orphans are reaped', async () => {
    const script = 'trap "echo bye; exit 5" TERM; (setsid sh -c "exit 1" &) ; echo up; while :; do sleep 0.05; done';
    await using container = await Container.start({ args: ['bash', '-c', script] });
    await container.said(/^up$/m);
    await until('no zombie to be there', async () => (await container.processes()).every(({ state }) => state !== 'Z'));
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('5');
    await container.said(/^bye$/m);
  });
}
