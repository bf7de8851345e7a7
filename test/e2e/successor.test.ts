// The supervisor dies, by SIGKILL, by a crash or because it does not respond: services are not affected, no event of that time is
// lost, and everything in progress continues.
import { describe, expect, test } from 'bun:test';
import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** Kills the supervisor, after `before` with it stopped; resolves when the next one responds. */
async function replace(
  run: Run,
  before: () => void | Promise<void> = () => undefined,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const { outer } = run.supervisor;
  process.kill(outer, 'SIGSTOP');
  await before();
  process.kill(outer, signal);
  if (signal !== 'SIGKILL') process.kill(outer, 'SIGCONT');
  await until('another supervisor', () => {
    try {
      return run.supervisor.outer !== outer;
    } catch {
      return false;
    }
  });
  await run.status();
}

/** Whether the memory of a process has that text: the checkpoint is there, and nowhere else. */
function holds(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1')
      .split('\n')
      .some((line) => {
        const [, from = '', to = ''] = /^(\w+)-(\w+) rw/.exec(line) ?? [];
        if (from === '') return false;
        const bytes = Buffer.alloc(Number.parseInt(to, 16) - Number.parseInt(from, 16));
        readSync(memory, bytes, 0, bytes.length, Number.parseInt(from, 16));
        return bytes.includes(text);
      });
  } finally {
    closeSync(memory);
  }
}

test('services in every state keep their state', async () => {
  const port = await freePort();
  const wait = { restart: { policy: 'on-failure', backoff: { initial: '60s', max: '60s' } } } as const;
  const late = { command: 'until [ -e go ]; do sleep 0.05; done' };
  await using run = await up(
    {
      exit: 'all',
      stop_timeout: '60s',
      services: {
        ready: played({ ready: { http: { port } } }),
        starting: played({ ready: { log: 'UP' } }),
        hooked: played({ hooks: { before_start: late } }),
        after: played({ hooks: { after_ready: late } }),
        backoff: played({ ...wait, essential: false }),
        stopping: played({ stop: { timeout: '60s' } }),
        failed: played({ essential: false }),
        task: { type: 'task', command: 'true' },
        waiting: played({ depends_on: { starting: 'ready' } }),
        off: played({ enabled: false }),
      },
    },
    { leaves: ['go'] },
  );
  const [ready, starting, after, backoff, stopping, failed] = await Promise.all(
    ['ready', 'starting', 'after', 'backoff', 'stopping', 'failed'].map((name) => run.puppet(name)),
  );
  await ready?.listen(port);
  await run.state('ready', 'ready');
  await run.state('after', 'ready');
  await stopping?.ignore('TERM');
  await run.state('stopping', 'ready');
  const stop = run.command('stop', 'stopping');
  await run.state('stopping', 'stopping');
  await backoff?.exit(3);
  await run.state('backoff', 'backoff');
  await failed?.exit(4);
  await run.state('failed', 'failed');
  await run.state('task', 'completed');
  await run.state('hooked', 'starting');
  const known = ({ uptime_seconds: _, reason: __, usage: ___, ...rest }: Awaited<ReturnType<Run['service']>>) => rest;
  const before = (await run.status()).services.map(known);
  await replace(run);
  expect((await run.status()).services.map(known)).toEqual(before);
  await starting?.print('UP');
  await run.state('starting', 'ready');
  await run.state('waiting', 'ready');
  writeFileSync(join(run.folder, 'go'), '');
  await run.state('hooked', 'ready');
  expect((await run.service('after')).pid).toBe(after?.pid ?? 0);
  await stopping?.exit(0);
  await run.state('stopping', 'stopped');
  await stop;
  expect((await run.service('ready')).uptime_seconds).toBeGreaterThan(0);
  run.signal('SIGTERM');
  await run.ends(0);
});

describe('without a supervisor', () => {
  test('an exit keeps its own code', async () => {
    await using run = await up({ services: { a: played(), b: played() } });
    const a = await run.puppet('a');
    await run.state('a', 'ready');
    const { outer } = run.supervisor;
    process.kill(outer, 'SIGSTOP');
    await a.exit(5);
    process.kill(outer, 'SIGKILL');
    await run.ends(5);
    expect(run.output.text()).toContain('a exited with code 5');
  });

  test('READY=1, a line for a probe, and the end of a hook are handled', async () => {
    await using run = await up(
      {
        services: {
          notify: played({ ready: { notify: true } }),
          line: played({ ready: { log: 'UP' } }),
          hooked: played({ hooks: { before_start: { command: 'until [ -e go ]; do sleep 0.05; done' } } }),
        },
      },
      { leaves: ['go'] },
    );
    const [notify, line] = await Promise.all([run.puppet('notify'), run.puppet('line')]);
    await run.state('hooked', 'starting');
    await replace(run, async () => {
      await notify.notify();
      await line.print('UP');
      writeFileSync(join(run.folder, 'go'), '');
    });
    for (const name of ['notify', 'line', 'hooked']) await run.state(name, 'ready');
    expect((await run.status()).services.map((service) => service.run)).toEqual([1, 1, 1]);
  });

  test('the first of several exits is the first cause', async () => {
    await using run = await up({ exit: 'first', services: { a: played(), b: played() } });
    const [a, b] = await Promise.all([run.puppet('a'), run.puppet('b')]);
    await run.state('b', 'ready');
    const { outer } = run.supervisor;
    process.kill(outer, 'SIGSTOP');
    // wait4(2) returns children that have ended in the order of their start.
    for (const [puppet, code] of [
      [b, 5],
      [a, 3],
    ] as const) {
      await puppet.exit(code);
      await run.reaped(puppet.pid);
    }
    process.kill(outer, 'SIGKILL');
    await run.ends(5);
  });

  test('a newline on the descriptor of `notify` and an exit: it was ready', async () => {
    await using run = await up({
      exit: 'all',
      services: { a: played({ ready: { notify: { fd: 3 } }, essential: false }), b: played() },
    });
    const [a, b] = await Promise.all([run.puppet('a'), run.puppet('b')]);
    await run.state('b', 'ready');
    await run.state('a', 'starting');
    await replace(run, async () => {
      await a.write(3, '\n');
      await a.exit(0);
    });
    await run.state('a', 'completed');
    await b.exit(0);
    await run.ends(0);
  });

  test('time in which the supervisor was stopped before it died counts for no deadline', async () => {
    await using run = await up({ services: { a: played({ ready: { log: 'UP' }, start_timeout: '3s' }) } });
    const a = await run.puppet('a');
    await run.state('a', 'starting');
    // Longer than the deadline.
    await replace(run, () => Bun.sleep(3_500));
    expect((await run.service('a')).state).toBe('starting');
    await a.print('UP');
    await run.state('a', 'ready');
  });

  test('SIGTERM stops everything, in order, with 0', async () => {
    await using run = await up({ services: { a: played(), b: played({ depends_on: ['a'] }) } });
    const [a, b] = await Promise.all([run.puppet('a'), run.puppet('b')]);
    await run.state('b', 'ready');
    await b.trap('TERM');
    const { outer } = run.supervisor;
    process.kill(outer, 'SIGSTOP');
    run.signal('SIGTERM');
    process.kill(outer, 'SIGKILL');
    await b.when((report) => report.event === 'signal');
    expect(a.isGone).toBe(false);
    await b.exit(0);
    await run.ends(0);
  });

  test('SIGHUP reloads the configuration, and a reload in progress is completed', async () => {
    await using run = await up({ services: { a: played() } });
    await run.state('a', 'ready');
    await replace(run, () => {
      writeFileSync(join(run.folder, 'services.yaml'), JSON.stringify({ services: { a: played(), b: played() } }));
      run.signal('SIGHUP');
    });
    await run.state('b', 'ready');
    expect((await run.service('a')).run).toBe(1);
  });
});

test('without its file, a successor uses the configuration in force', async () => {
  await using run = await up(
    { services: { a: played({ env: { MODE: 'fast' }, restart: 'always' }) } },
    { env: { TOKEN: 'hf_0815' } },
  );
  const first = await run.puppet('a');
  await run.state('a', 'ready');
  rmSync(join(run.folder, 'services.yaml'));
  await replace(run);
  await first.exit(1);
  const second = await run.puppet('a', 2);
  expect((await second.facts()).env).toMatchObject({ MODE: 'fast', TOKEN: 'hf_0815', SVC_RUN: '2' });
  expect((await run.service('a')).restarts).toBe(1);
  writeFileSync(join(run.folder, 'services.yaml'), '');
});

test('the successor ends leftover processes, and the first cause stays', async () => {
  await using run = await up({ exit: 'failure', stop_timeout: '60s', services: { a: played(), b: played() } });
  const [a, b] = await Promise.all([run.puppet('a'), run.puppet('b')]);
  await b.ignore('TERM');
  await a.spawn('child', { daemon: true, wiped: true });
  const child = await run.puppet('child');
  await child.ignore('TERM');
  await run.state('b', 'ready');
  await a.exit(7);
  await run.line(/stopping everything: a failed/);
  await replace(run);
  await child.gone;
  await run.line(/cleaned up 1 process of a/);
  await b.exit(3);
  await run.ends(7);
});

test('lines continue after a kill, and gaps are marked', async () => {
  await using run = await up({ services: { a: played(), quiet: played() } });
  const [a, quiet] = await Promise.all([run.puppet('a'), run.puppet('quiet')]);
  await run.state('quiet', 'ready');
  for (let round = 1; round <= 5; round += 1) {
    await a.print(`line ${round}`);
    await run.line(new RegExp(`a +\\| line ${round}$`));
    await replace(run);
    await run.line(/the supervisor was killed by SIGKILL and was restarted/);
  }
  await a.print('line 6');
  await run.line(/a +\| line 6$/);
  const lines = run.lines.filter((line) => /^a +\|/.test(line)).map((line) => line.replace(/^a +\| /, ''));
  const mark = '[svc-super was restarted here: what it had read last may be missing]';
  expect(lines.filter((line) => line !== mark)).toEqual([1, 2, 3, 4, 5, 6].map((number) => `line ${number}`));
  expect(lines.filter((line) => line === mark)).toHaveLength(5);
  expect(run.lines.some((line) => /^quiet +\|/.test(line))).toBe(false);
  await quiet.exit(0);
  await run.ends(0);
});

test('a start that may have failed because of a lost line reports that', async () => {
  await using run = await up({ services: { a: played({ ready: { log: 'UP' }, start_timeout: '2s' }) } });
  await run.puppet('a');
  await run.state('a', 'starting');
  await replace(run);
  await run.line(
    /waiting for a line that matches \/UP\/; the supervisor was restarted meanwhile, and may have missed it/,
  );
  await run.ends(124);
});

test('the successor listens on the TCP port of the control API again', async () => {
  const port = await freePort();
  await using run = await up({ control: { http: { listen: port } }, services: { a: played() } });
  await run.state('a', 'ready');
  const ask = () => fetch(`http://127.0.0.1:${port}/healthz`).then(({ status }) => status);
  await until('the port', () => ask().catch(() => null));
  await replace(run);
  expect(await until('the port', () => ask().catch(() => null))).toBe(200);
  expect(run.output.text()).not.toContain('nobody listens');
});

test('a crash of the supervisor is reported with its signal', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  await replace(run, () => undefined, 'SIGSEGV');
  await run.line(
    /the supervisor was killed by SIG\w+ and was restarted; the services go on; if the runtime has written/,
  );
  await a.exit(6);
  await run.ends(6);
});

test('the post-mortem contains output from before the supervisor died', async () => {
  await using run = await up({ services: { a: played() } });
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  await a.print('the final line');
  await run.line(/the final line/);
  await until('PID 1 to have it', () => holds(run.outerPid, 'the final line'));
  await replace(run);
  await replace(run);
  await a.exit(9);
  await run.ends(9);
  expect(run.lines.filter((line) => line.includes('the final line')).length).toBe(2);
});

test('a stop does not wait for a supervisor that does not respond', async () => {
  await using run = await up({ services: { a: played() } });
  await run.puppet('a');
  await run.state('a', 'ready');
  process.kill(run.supervisor.outer, 'SIGSTOP');
  run.signal('SIGTERM');
  await run.ends(0);
  expect(run.output.text()).toContain(
    'a stop was requested, and the supervisor does not respond: stopping 1 running processes without it',
  );
});

test('200 services and their supervisor, killed repeatedly during start, stop and output', async () => {
  const services = Object.fromEntries(
    Array.from({ length: 200 }, (_, at) => [
      `s${at}`,
      {
        command: `sleep 0.${at % 10}; echo out ${at}; sleep ${1 + (at % 3)}; exit ${at % 4}`,
        type: 'task',
        essential: false,
      },
    ]),
  );
  await using run = await up({ exit: 'all', services: { ...services, last: played() } });
  const last = await run.puppet('last');
  for (let round = 0; round < 8; round += 1) await replace(run);
  for (let at = 0; at < 200; at += 1) await run.state(`s${at}`, at % 4 === 0 ? 'completed' : 'failed');
  const { services: found } = await run.status();
  expect(found.map((service) => [service.run, service.restarts])).toEqual(found.map(() => [1, 0]));
  expect(found.slice(0, 200).map(({ exit }) => exit?.code)).toEqual(Array.from({ length: 200 }, (_, at) => at % 4));
  await last.exit(0);
  await run.ends(0);
});
