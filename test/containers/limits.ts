// A real container that runs out of something: memory, processes, open files. PID 1 goes on, says what happened, and ends
// with the right code.
import { expect, test } from 'bun:test';
import { Container } from '../helpers/container.ts';

/** Forks until nothing more can be had, and keeps it so. */
const GREEDY = `  greedy:
    depends_on: { page: ready }
    command:
      - perl
      - -e
      - |
        $| = 1; $SIG{CHLD} = "IGNORE";
        for (my $full = 0; ; ) {
          my $child = fork;
          if (defined $child && $child == 0) { sleep 600; exit }
          next if defined $child;
          print "no more processes\\n" unless $full++;
          select(undef, undef, undef, 0.02);
        }
`;
const WATCHED = `services:
  page:
    command: [perl, /opt/puppets/server.pl]
    port: 8000
    ready: { http: /health }
    live: { http: /health, interval: 100ms, failures: 2 }
`;

/** While no process can be made any more: probes go on, and what they tell ends everything with the right code. */
async function survivesGreed(flags: readonly string[]): Promise<void> {
  await using container = await Container.start({ services: WATCHED + GREEDY, flags });
  await container.said(/no more processes/);
  container.say('page.sick');
  expect(await container.ended()).toBe(1);
  const { stderr } = await container.logs();
  expect(stderr).toMatch(/page .*live/);
  expect(stderr).toContain('the container ends with code 1');
  expect(stderr).not.toContain('a bug in svc-super');
}

export function limits(): void {
  test('96 MiB are enough for the supervisor and small services, and for status and health beside them', async () => {
    const flags = ['--memory', '96m', '--memory-swap', '96m'];
    await using container = await Container.start({ flags });
    container.say('model.loaded');
    await container.healthy();
    for (let again = 0; again < 5; again += 1) expect((await container.exec('svc-super', 'status')).code).toBe(0);
    expect(await container.inspect('{{.State.Status}} {{.State.OOMKilled}}')).toBe('running false');
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
  });

  test('a service that eats the memory is killed, and the post-mortem says that memory ran out', async () => {
    const services = `services:\n  eater: { command: [perl, -e, '$| = 1; print "hungry\\n"; my @a; push @a, "a" x 1048576 while 1'] }\n`;
    const flags = ['--memory', '96m', '--memory-swap', '96m'];
    const { code, stderr } = await Container.run({ services, flags });
    expect(code).toBe(137);
    expect(stderr).toContain('out of memory: the kernel killed a process of this container');
    expect(stderr).toMatch(/eater .*SIGKILL/);
    expect(stderr).toContain('hungry');
  });

  test('a service killed from outside is not called out of memory', async () => {
    const services = `services:\n  one: { command: 'kill -KILL $$' }\n`;
    const { code, stderr } = await Container.run({ services, flags: ['--memory', '96m'] });
    expect(code).toBe(137);
    expect(stderr).not.toContain('out of memory');
  });

  test('a service that uses up the process limit of the container takes PID 1 down in no way', async () => {
    await survivesGreed(['--pids-limit', '64']);
  });

  test("a service that uses up its user's processes does neither", async () => {
    await survivesGreed(['--user', '54321:0', '--ulimit', 'nproc=64:64']);
  });

  test('256 open files are enough for forty services, and each of them may open 256', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `s${index}`);
    const services = names.map(
      (name) => `  ${name}: { command: 'ulimit -Sn; ulimit -Hn; exec sleep 600', ready: { log: "256" } }\n`,
    );
    const flags = ['--ulimit', 'nofile=256:256'];
    await using container = await Container.start({ services: `services:\n${services.join('')}`, flags });
    await container.healthy();
    expect((await container.exec('svc-super', 'status')).stdout.match(/^s\d+ +ready /gm)).toHaveLength(40);
    const { stdout } = await container.logs();
    expect(stdout.match(/\| 256$/gm)).toHaveLength(80);
    await container.podman('stop');
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
  });
}
