// A supervisor that was stopped (SIGSTOP) or frozen with its container, and SIGTERM to a whole process tree. The absence counts
// for no deadline, and a request to stop that reaches the services first is still a request to stop.
import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, type Run, up, useRig } from '../helpers/rig.ts';

useRig();

/** Longer than any deadline of the services below, milliseconds. */
const AWAY = 3_500;

/** Stops these processes for AWAY; runs `meanwhile` while they are stopped. */
async function absent(pids: readonly number[], meanwhile: () => void | Promise<void>): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await meanwhile();
  await Bun.sleep(AWAY);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
}

const everything = (run: Run) => [run.outerPid, run.supervisor.outer, ...run.ps().map(({ outer }) => outer)];

test('events in time during the absence are not failures', async () => {
  await using run = await up(
    {
      exit: 'all',
      services: {
        line: played({ ready: { log: 'UP' }, start_timeout: '2s' }),
        file: played({ ready: { file: 'is-there' }, start_timeout: '2s' }),
        silent: played({ ready: { log: 'UP' }, start_stall: '2s' }),
        hooked: played({ hooks: { before_start: { command: 'until [ -e go ]; do sleep 0.05; done', timeout: '2s' } } }),
      },
    },
    { leaves: ['is-there', 'go'] },
  );
  const [line, file, silent] = await Promise.all(['line', 'file', 'silent'].map((name) => run.puppet(name)));
  await absent([run.supervisor.outer], async () => {
    await line?.print('UP');
    await silent?.print('UP');
    writeFileSync(join(run.folder, 'is-there'), '');
    writeFileSync(join(run.folder, 'go'), '');
  });
  for (const name of ['line', 'file', 'silent', 'hooked']) await run.state(name, 'ready');
  expect(existsSync(join(run.folder, 'go'))).toBe(true);
  for (const puppet of [line, file, silent, await run.puppet('hooked')]) await puppet?.exit(0);
  await run.ends(0);
});

test('an exit during the absence gives its own code, not that of a deadline', async () => {
  await using run = await up({ services: { a: played({ ready: { log: 'UP' }, start_timeout: '2s' }) } });
  const a = await run.puppet('a');
  await absent([run.supervisor.outer], () => a.exit(5));
  await run.ends(5);
});

test('after a freeze of everything, a start and a stop have their remaining time', async () => {
  await using run = await up({
    stop_timeout: '2s',
    services: { a: played({ ready: { log: 'UP' }, start_timeout: '2s' }) },
  });
  const a = await run.puppet('a');
  await absent(everything(run), () => undefined);
  await a.print('UP');
  await run.state('a', 'ready');
  await a.trap('TERM');
  run.signal('SIGTERM');
  await a.signalled('SIGTERM');
  await absent(everything(run), () => undefined);
  await a.exit(0);
  await run.ends(0);
});

/** A process may have ended already: PID 1, if it is signalled first, ends everything. */
function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const chain = {
  db: played({ restart: 'always' }),
  api: played({ depends_on: ['db'], restart: 'on-failure' }),
  web: played({ depends_on: ['api'] }),
};

for (const [how, order] of Object.entries({
  'services first, leaves before what they depend on': ['web', 'api', 'db', 'supervisor', 'pid1'],
  'services first, in the order of their start': ['db', 'api', 'web', 'supervisor', 'pid1'],
  'PID 1 first': ['pid1', 'supervisor', 'db', 'api', 'web'],
})) {
  test(`SIGTERM to the whole process tree ends it with 0 and restarts nothing: ${how}`, async () => {
    for (let round = 0; round < 5; round += 1) {
      await using run = await up({ services: chain });
      const names = ['db', 'api', 'web'];
      const puppets = await Promise.all(names.map((name) => run.puppet(name)));
      await run.line(/everything (?:is ready|has started)/);
      const outer = (pid: number) => run.find(pid)?.outer ?? 0;
      const pids: Readonly<Record<string, number>> = {
        pid1: run.outerPid,
        supervisor: run.supervisor.outer,
        ...Object.fromEntries(names.map((name, at) => [name, outer(puppets[at]?.pid ?? 0)])),
      };
      for (const name of order) signalIfThere(pids[name] ?? 0);
      await run.ends(0);
      expect(run.lines.filter((line) => /starting again|failed/.test(line))).toEqual([]);
    }
  });
}

test('the output of a service is read before its exit is reported', async () => {
  for (let round = 0; round < 8; round += 1) {
    const command = ['/bin/sh', '-c', 'i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); done; exit 3'];
    // One pipe for both streams, so that the output has one order.
    await using run = await up({ services: { a: { command } } }, { before: 'exec 2>&1' });
    await run.ends(3);
    const last = run.lines.lastIndexOf('a         | line 199');
    const told = run.lines.findIndex((line) => line.includes('a exited with code 3'));
    expect(last).toBeGreaterThan(-1);
    expect(told).toBeGreaterThan(last);
  }
});

test('a line that makes a service ready counts, even if the service exits right after it', async () => {
  for (let round = 0; round < 12; round += 1) {
    await using run = await up({
      exit: 'all',
      services: {
        a: { command: ['/bin/sh', '-c', 'echo UP'], ready: { log: 'UP' } },
        b: { command: ['/bin/sh', '-c', 'exit 0'], depends_on: { a: 'ready' } },
      },
    });
    await run.ends(0);
    await run.line(/a ready after/);
  }
});

test('the leftover processes of a shell get the whole grace period of the stop', async () => {
  // The shell dies of the signal at once; its child takes longer than `leftover_timeout`.
  const command =
    'cd / && perl -e \'$SIG{TERM} = sub { select undef, undef, undef, 2.5; exit 0 }; print "UP\\n"; $| = 1; sleep 1000\' & wait';
  await using run = await up({ services: { a: { command: ['/bin/sh', '-c', command], ready: { log: 'UP' } } } });
  await run.line(/a ready/);
  run.signal('SIGTERM');
  await run.ends(0);
});
