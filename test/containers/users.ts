// Who svc-super is in a real container: a random uid without any capability, root without them, root with users of its
// own for the services.
import { expect, test } from 'bun:test';
import { Container, stillAlive } from '../helpers/container.ts';
import { until } from '../helpers/container-tools.ts';

const NOBODY_SPECIAL = ['--user', '12345:0', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'];

export function users(): void {
  test('a random uid, no capabilities and no-new-privileges: it starts in order, reports, cleans up and stops as usual', async () => {
    await using container = await Container.start({ flags: NOBODY_SPECIAL });
    container.say('model.loaded');
    await container.healthy();
    const all = await container.processes();
    // PID 1, its supervisor and two services.
    expect(all.length).toBe(4);
    for (const { pid } of all) {
      const status = await Bun.file(`/proc/${pid}/status`).text();
      expect(status).toMatch(/^Uid:\s+12345\s+12345\s/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    }
    const { code, stdout } = await container.exec('svc-super', 'status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^page +ready/m);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');

    const services = `services:\n  family: { command: 'setsid sleep 600 & echo born; wait', ready: { log: born } }\n`;
    await using killed = await Container.start({ flags: NOBODY_SPECIAL, services });
    await killed.healthy();
    const before = await killed.processes();
    process.kill(before.find(({ args }) => args.startsWith('/bin/sh'))?.pid ?? -1, 'SIGKILL');
    expect(await killed.ended()).toBe(137);
    expect(stillAlive(before)).toEqual([]);
    await killed.said(/cleaned up 1 process of family: sleep/);
  });

  test('all restrictions at once: another uid and gid, read-only, no capabilities, 32 processes, 96 MiB, 256 files', async () => {
    const flags = [
      ...['--user', '12345:12345', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
      ...['--read-only', '--read-only-tmpfs=false', '--pids-limit', '32', '--ulimit', 'nofile=256:256'],
      ...['--memory', '96m', '--memory-swap', '96m'],
    ];
    await using container = await Container.start({ flags });
    container.say('model.loaded');
    await container.healthy();
    expect((await container.exec('svc-super', 'status')).stdout).toMatch(/^page +ready/m);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}} {{.State.OOMKilled}}')).toBe('0 false');
  });

  test('services under their own users write to /dev/stdout and /dev/stderr, each in its own groups', async () => {
    const services = `services:
  one:
    user: nobody
    command: 'id > /dev/stdout; echo complaint > /dev/stderr; exec sleep 600'
    ready: { log: complaint }
  two:
    user: www-data:nogroup
    umask: "027"
    command: 'id >> /dev/stdout; umask; exec sleep 600'
    ready: { log: "^0027" }
`;
    await using container = await Container.start({ services });
    await container.healthy();
    const { stdout, stderr } = await container.logs();
    expect(stdout).toMatch(/^one +\| uid=65534\(nobody\) gid=65534\(nogroup\) groups=65534\(nogroup\)$/m);
    expect(stdout).toMatch(/^two +\| uid=33\(www-data\) gid=65534\(nogroup\)/m);
    expect(stderr).toMatch(/^one +\| complaint$/m);
    const uids = await Promise.all(
      (await container.processes()).map(async ({ pid }) => {
        const status = await Bun.file(`/proc/${pid}/status`).text();
        return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
      }),
    );
    expect(uids.sort((a, b) => a - b)).toEqual([0, 0, 33, 65534]);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
  });

  test('without the right to change users, a service that wants another one fails and says so', async () => {
    const services = `services:\n  one: { user: nobody, command: sleep 600 }\n`;
    const { code, stderr } = await Container.run({ services, flags: ['--cap-drop', 'all'] });
    expect(code).toBe(126);
    expect(stderr).toMatch(/cannot become user nobody: .*not permitted/);
  });

  test('without the right to signal other users, it stops in time all the same, and says what it could not do', async () => {
    const services = `stop_timeout: 1s\nservices:\n  one: { user: nobody, command: 'echo up; exec sleep 600', ready: { log: up } }\n`;
    const flags = ['--cap-drop', 'all', '--cap-add', 'setuid', '--cap-add', 'setgid'];
    await using container = await Container.start({ services, flags });
    await container.healthy();
    const before = await container.processes();
    await container.podman('stop', '--time', '60');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('137');
    await until('everything to be gone with PID 1', () => stillAlive(before).length === 0);
    await container.said(/ending while processes are left: one/);
  });
}
