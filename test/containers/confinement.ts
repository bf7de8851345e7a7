// A real container that may write nothing: a read-only root, with and without one place for the control socket.
import { expect, test } from 'bun:test';
import { Container } from '../helpers/container.ts';
import { run } from '../helpers/container-tools.ts';

const READ_ONLY = ['--read-only', '--read-only-tmpfs=false'];
const NO_SHM = ['--mount', 'type=tmpfs,destination=/dev/shm,ro=true'];

const server = `services:
  page:
    command: [perl, /opt/puppets/server.pl]
    port: 8000
    ready: { http: /health }
`;

export function confinement(): void {
  test('with a read-only root, no writable /run and /tmp, all works: the socket finds /dev/shm', async () => {
    await using container = await Container.start({ services: server, flags: READ_ONLY });
    await container.healthy();
    const { code, stdout } = await container.exec('svc-super', 'status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^page +ready/m);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
    const { stdout: said, stderr } = await container.logs();
    expect(said).toContain('page saw SIGTERM');
    expect(stderr).not.toContain('no control socket');
  });

  test('with nothing writable at all, the services run, and what cannot be done is said once', async () => {
    await using container = await Container.start({ services: server, flags: [...READ_ONLY, ...NO_SHM] });
    await container.said(/page listens/);
    await container.said(/status and health will not work/);
    const status = await container.exec('svc-super', 'status');
    expect(status.code).toBe(69);
    for (const place of ['/run/svc-super.sock', '/dev/shm/', '/tmp/']) expect(status.stderr).toContain(place);
    expect((await container.exec('svc-super', 'health')).code).toBe(1);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
    const { stdout, stderr } = await container.logs();
    expect(stdout).toContain('page saw SIGTERM');
    expect(stderr.match(/status and health will not work/g)).toHaveLength(1);
  });

  test('with nothing writable at all, a service may be another user and open /dev/stdout', async () => {
    const services = `services:\n  one: { user: nobody, command: 'id -un > /dev/stdout; echo oh > /dev/stderr; exit 7' }\n`;
    const { code, stdout, stderr } = await Container.run({ services, flags: [...READ_ONLY, ...NO_SHM] });
    expect(code).toBe(7);
    expect(stdout).toMatch(/^one +\| nobody$/m);
    expect(stderr).toMatch(/^one +\| oh$/m);
  });

  test('SVC_SUPER_SOCKET names the place, for the supervisor and for the commands in podman exec', async () => {
    const flags = [...READ_ONLY, ...NO_SHM, '--env', 'SVC_SUPER_SOCKET=/tell/here.sock'];
    await using container = await Container.start({ services: server, flags });
    await container.healthy();
    const { stdout } = await run(['stat', '--format', '%a %F', `${container.tell}/here.sock`]);
    expect(stdout.trim()).toBe('600 socket');
    await container.podman('stop');
    expect(await Bun.file(`${container.tell}/here.sock`).exists()).toBe(false);
  });
}
