// The life of a real container: built from the Dockerfile, gated, watched by HEALTHCHECK, stopped, killed, ended with the
// right code. Everything is seen as a user of podman sees it.
import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Container, stillAlive } from '../helpers/container.ts';
import { buildFrom } from '../helpers/container-image.ts';
import { podman, run, until } from '../helpers/container-tools.ts';

/** Ends each of its services with a word about it, so that the order can be read. */
const STOPPABLE = (name: string, rest = '') =>
  `  ${name}: { command: 'trap "echo ${name} saw TERM; exit 0" TERM; echo ${name} is up; while :; do sleep 0.05; done', ready: { log: is up }${rest} }\n`;

export function life(): void {
  test('opens the gate only when the model is ready, and HEALTHCHECK says 1 before and 0 after', async () => {
    await using container = await Container.start();
    await container.said(/model listens/);
    await until('the supervisor to answer', async () => (await container.healthcheck()).code === 1);
    const loading = await container.exec('svc-super', 'status');
    expect(loading.code).toBe(3);
    expect(loading.stdout).toMatch(/^model +starting/m);
    expect(loading.stdout).toMatch(/^page +pending/m);
    expect((await container.exec('svc-super', 'health')).code).toBe(1);

    container.say('model.loaded');
    await container.healthy();
    const ready = await container.exec('svc-super', 'status');
    expect(ready.code).toBe(0);
    expect(ready.stdout).toMatch(/^model +ready/m);
    expect(ready.stdout).toMatch(/^page +ready/m);
    expect(await container.inspect('{{.State.Status}}')).toBe('running');
    const json = JSON.parse((await container.exec('svc-super', 'status', '--json', 'page')).stdout);
    expect(json).toMatchObject({ pid: 1, services: [{ name: 'page', state: 'ready' }] });
  });

  test('ends with 0 on podman stop, in time, and every service has seen SIGTERM, dependents first', async () => {
    await using container = await Container.start();
    container.say('model.loaded');
    await container.healthy();
    const before = await container.processes();
    const began = performance.now();
    await container.podman('stop');
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
    const { stdout } = await container.logs();
    expect(stdout.trim().split('\n').slice(-2)).toEqual([
      'page      | page saw SIGTERM',
      'model     | model saw SIGTERM',
    ]);
    expect(stillAlive(before)).toEqual([]);
  });

  test('kills at its own deadline what ignores SIGTERM, and ends with 137 before podman would', async () => {
    const services = `stop_timeout: 1s\nservices:\n  deaf: { command: 'trap "" TERM; echo deaf; while :; do sleep 0.05; done' }\n${STOPPABLE('polite')}`;
    await using container = await Container.start({ services });
    await container.healthy();
    await container.said(/\| deaf$/m);
    const began = performance.now();
    await container.podman('stop', '--time', '30');
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('137');
    await container.said(/polite saw TERM/);
  });

  test('leaves nothing behind when it is killed with SIGKILL', async () => {
    const services = `services:\n  family: { command: 'setsid sleep 600 & setsid setsid sleep 601 & echo born; wait', ready: { log: born } }\n`;
    await using container = await Container.start({ services });
    await container.healthy();
    const before = await container.processes();
    expect(before.map(({ args }) => args)).toEqual(expect.arrayContaining(['sleep 600', 'sleep 601']));
    await container.podman('kill', '--signal', 'KILL');
    expect(await container.ended()).toBe(137);
    await until('every process to be gone', () => stillAlive(before).length === 0);
  });

  test('stops in order on SIGINT and SIGQUIT too, also while something is still starting', async () => {
    for (const signal of ['INT', 'QUIT']) {
      await using container = await Container.start();
      await container.said(/model listens/);
      await container.podman('kill', '--signal', signal);
      expect(await container.ended()).toBe(0);
      await container.said(/model saw SIGTERM/);
    }
  });

  test("ends with a service's own code, 128 and the signal, 1 for a 0 that is no success, 127, 126 or 78", async () => {
    const endings: readonly (readonly [command: string, code: number])[] = [
      ['{ command: exit 7 }', 7],
      ['{ command: exit 255 }', 255],
      ['{ command: exit 0 }', 0],
      ['{ command: exit 0, success_codes: [] }', 1],
      ['{ command: kill -KILL $$ }', 137],
      ['{ command: kill -SEGV $$ }', 139],
      ['{ command: [no-such-program] }', 127],
      ['{ command: [/etc/passwd] }', 126],
      ['{ command: sleep 60, ready: { file: /never }, start_timeout: 200ms }', 124],
      ['{ comand: exit 7 }', 78],
    ];
    const codes: (readonly [string, number])[] = [];
    for (const [service] of endings) {
      codes.push([service, (await Container.run({ services: `services:\n  one: ${service}\n` })).code]);
    }
    expect(codes).toEqual([...endings]);
  });

  test('ends with the code of the first to fail, and tells podman wait the same', async () => {
    await using container = await Container.start();
    container.say('model.loaded');
    await container.healthy();
    const waiting = container.ended();
    writeFileSync(join(container.tell, 'model.exit'), '43');
    expect(await waiting).toBe(43);
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('43');
    const { stdout, stderr } = await container.logs();
    expect(stdout).toContain('page saw SIGTERM');
    expect(stderr).toMatch(/the container ends with code 43/);
  });

  test('keeps standard output and standard error apart, and loses no line at the end', async () => {
    const lines = 20_000;
    const loop = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2; done; printf last; exit 7`;
    const { code, stdout, stderr } = await Container.run({ services: `services:\n  loud: { command: '${loop}' }\n` });
    expect(code).toBe(7);
    const out = stdout.split('\n').filter((line) => line.startsWith('loud'));
    expect(out).toHaveLength(lines + 1);
    expect(out.at(-2)).toEndWith(`out ${lines}`);
    expect(out.at(-1)).toEndWith('| last');
    expect(stdout).not.toContain('err ');
    const ours = stderr.split('\n').filter((line) => /^loud +\| err \d+$/.test(line));
    expect(ours).toHaveLength(lines);
  });

  test('on a terminal it colours the prefixes, and one command run in its place has that terminal', async () => {
    const flags = ['--tty'];
    const services = `services:\n  one: { command: 'echo hi; exit 3' }\n`;
    const { code, stdout } = await Container.run({ services, flags });
    expect(code).toBe(3);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are made of
    expect(stdout).toMatch(/\x1b\[\d+mone +\| \x1b\[0mhi\r$/m);
    const told = await Container.run({ flags, args: ['bash', '-c', 'tty; test -t 0 -a -t 1 -a -t 2 && exit 4'] });
    expect(told).toMatchObject({ code: 4, stdout: '/dev/pts/0\r\n' });
  });

  test('writes the post-mortem to /dev/termination-log where that exists, and nowhere else', async () => {
    const services = `services:\n  frail: { command: 'echo the disk is full; exit 9' }\n`;
    await using container = await Container.start({ services });
    expect(await container.ended()).toBe(9);
    const { stderr } = await container.logs();
    expect(stderr).toMatch(/frail .*9.*\n(?:.*\n)*.*the disk is full/);

    const log = join(container.tell, 'termination-log');
    writeFileSync(log, '');
    const { code } = await Container.run({ services, flags: ['--volume', `${log}:/dev/termination-log`] });
    expect(code).toBe(9);
    const written = readFileSync(log, 'utf8');
    expect(written).toContain('frail');
    expect(written).toContain('code 9');
    expect(written).toContain('the disk is full');
  });

  test('is not built when its services.yaml is wrong, and the build says where', async () => {
    const tag = `localhost/svc-super-test-wrong:${process.pid}`;
    const { code, stdout, stderr } = await buildFrom('services:\n  web: { command: sleep 1, depend_on: [db] }\n', tag);
    const there = await run(podman('image', 'exists', tag));
    if (there.code === 0) await run(podman('rmi', '--force', tag));
    expect(code).not.toBe(0);
    expect(there.code).not.toBe(0);
    expect(`${stdout}${stderr}`).toContain('/etc/svc-super/services.yaml:2:');
    expect(`${stdout}${stderr}`).toContain('depends_on');
  });
}
