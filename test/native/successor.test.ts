// PID 1 starts a successor of a supervisor that has died: the state that the successor receives, the requests that are
// executed, and when PID 1 stops all services instead. The test acts as each supervisor.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  encodeAcknowledge,
  encodeBatch,
  encodeKeep,
  encodeRelease,
  encodeSignal,
  encodeSpawn,
  type SpawnFrame,
} from '../../src/pid1/protocol.ts';
import type { Succession } from '../../src/plan/plan.ts';
import { PLACES, sendSignal, useNative } from '../helpers/native.ts';
import { perl, type Supervised, type SuperviseOptions, splitHandover, statusOf, supervise } from '../helpers/pid1.ts';
import { INHERITED } from '../helpers/plans.ts';

useNative();

const record = (text: string) => Buffer.from(text);
const keep = (records: Readonly<Record<number, string>>) =>
  encodeKeep(new Map(Object.entries(records).map(([key, text]) => [Number(key), record(text)])));

/** Takes over as a supervisor that has stored records. */
async function begin(settings: Partial<Succession> = {}, options: SuperviseOptions = {}): Promise<Supervised> {
  const pid1 = await supervise(options);
  pid1.hello(5_000, [2, 3, 15], settings);
  pid1.send(keep({ 0: 'head' }));
  await pid1.signal(0);
  return pid1;
}

/** Stops the supervisor with SIGSTOP: it does not respond any more. */
async function freeze(pid1: Supervised): Promise<void> {
  const supervisor = await pid1.supervisor();
  sendSignal(supervisor, 19);
  await pid1.until('it to be stopped', () => statusOf(supervisor, 'State').startsWith('T'));
}

/** Kills the supervisor and takes over as its successor; resolves when the whole state was received. */
async function replace(pid1: Supervised, settings: Partial<Succession> = {}): Promise<Supervised> {
  sendSignal(await pid1.supervisor(), 9);
  const next = await pid1.successor();
  await next.event('restored');
  next.hello(5_000, [2, 3, 15], settings);
  // It has taken over when PID 1 has reported the result of this request.
  await next.signal(0);
  return next;
}

function recordsOf(pid1: Supervised): Record<number, string> {
  const found: Record<number, string> = {};
  for (const { key, part } of pid1.all('kept')) found[key] = (found[key] ?? '') + Buffer.from(part).toString();
  return found;
}

/** A program that prints a line for each SIGUSR1, and exits with 7 on SIGTERM. */
const PUPPET = perl(
  '$SIG{USR1} = sub { syswrite STDOUT, "line " . ++$n . "\n" }; $SIG{TERM} = sub { exit 7 }; syswrite STDOUT, "ready\n"; sleep 1000 while 1',
);

describe('the successor', () => {
  test.each(PLACES)(
    'receives the records, the runs and the end of the previous supervisor, %s',
    async (_where, isPid1) => {
      await using pid1 = await begin({}, { pid1: isPid1 });
      const large = 'x'.repeat(200_000);
      pid1.send(keep({ 1: 'first', 2: 'gone', 7: large, 1000: '' }), keep({ 1: 'a longer second', 2: '' }));
      const running = pid1.spawn({ argv: PUPPET, mark: 99n });
      const ending = pid1.spawn({ argv: PUPPET });
      const failing = pid1.spawn({ argv: ['/no/such/program'] });
      for (const run of [running, ending]) await pid1.line(run, /^ready$/);
      await pid1.failed(failing);
      const { pid, start, pipes } = await pid1.spawned(running);
      const last = await pid1.outer((await pid1.spawned(ending)).pid);
      // The program exits while there is no supervisor.
      await freeze(pid1);
      sendSignal(last, 15);
      await pid1.until('the exit', () => statusOf(last, 'State') === '');
      await using next = await replace(pid1);
      expect(recordsOf(next)).toEqual({ 0: 'head', 1: 'a longer second', 7: large });
      const runs = new Map(next.all('run').map((entry) => [entry.run, entry]));
      expect(runs.get(running)).toMatchObject({ state: 'executing', pid, start, pipes, mark: 99n });
      expect(runs.get(ending)).toMatchObject({ state: 'exited', status: 7 << 8 });
      expect(runs.get(failing)).toMatchObject({ state: 'failed', failure: { step: 'exec', errno: 2 } });
      const { lines } = splitHandover(next.handover);
      expect(lines).toContain('restarts=1');
      expect(lines).toContain('death=signal 9');
      expect(next.all('restored')).toEqual([{ type: 'restored', lastRun: failing }]);
      // The pipe is the same one.
      sendSignal(await next.outer(pid), 10);
      expect((await next.signal(15, { kind: 'main', run: running })).length).toBe(0);
      expect((await next.exited(running)).status).toBe(7 << 8);
    },
  );

  test('does not receive runs that were released, before or after their exit', async () => {
    await using pid1 = await begin();
    const [first, second] = [pid1.spawn({ argv: ['/bin/true'] }), pid1.spawn({ argv: ['/bin/true'] })];
    await pid1.exited(first);
    await pid1.exited(second);
    pid1.send(encodeRelease(first));
    await pid1.signal(0);
    await using next = await replace(pid1);
    expect(next.all('run').map(({ run }) => run)).toEqual([second]);
    next.send(keep({ 0: 'x' }), encodeRelease(second));
    await next.signal(0);
    await using third = await replace(next);
    expect(third.all('run')).toEqual([]);
    // No other run may have its number: a report about it may still be on its way.
    expect(third.all('restored')).toEqual([{ type: 'restored', lastRun: second }]);
  });

  test('receives signals and notifications that were not acknowledged, and no others', async () => {
    await using pid1 = await begin();
    const name = `svc-test-${process.pid}`;
    const notify = perl(
      'use Socket; socket(my $s, PF_UNIX, SOCK_DGRAM, 0); for my $t ("one", "two") { send($s, $t, 0, pack("S a*", AF_UNIX, "\\0" . $ENV{N})) } sleep 1000',
    );
    const run = pid1.spawn({ argv: notify, notify: name, env: { N: name, PATH: '/usr/bin:/bin' } });
    await pid1.event('notified', ({ text }) => text === 'two');
    await pid1.started.signal(1);
    await pid1.event('received', ({ signal }) => signal === 1);
    // The first of the three was acknowledged.
    pid1.send(encodeAcknowledge(1));
    await pid1.signal(0);
    await freeze(pid1);
    await pid1.started.signal(10);
    await using next = await replace(pid1);
    expect(next.all('notified').map(({ text }) => text)).toEqual(['two']);
    expect(next.all('received').map(({ signal }) => signal)).toEqual([1, 10]);
    next.send(encodeAcknowledge(3));
    await next.signal(0);
    await using third = await replace(next);
    expect([third.all('notified'), third.all('received')]).toEqual([[], []]);
    expect(third.all('run').map((entry) => entry.run)).toEqual([run]);
  });
});

describe('a batch', () => {
  const spawn: SpawnFrame = {
    ...{ run: 5, stopSignal: 15, mark: 0n, cgroup: null, notify: null, terminal: false, streams: new Map() },
    spec: { argv: ['/bin/sleep', '1000'], env: {}, cwd: null, attributes: INHERITED },
  };

  test('is executed and stored completely, even if its replies do not fit into the buffers', async () => {
    await using pid1 = await begin();
    const targets = Array.from({ length: 256 }, () => ({ kind: 'main', run: 99_999 }) as const);
    const signals = Array.from({ length: 200 }, (_, at) => encodeSignal(1_000 + at, 9, targets));
    pid1.socket.pause();
    pid1.send(encodeBatch([...signals, keep({ 3: 'kept' }), encodeSpawn(spawn)]));
    // The replies fill all buffers: PID 1 has handled a part of the batch.
    await pid1.until('the batch to be read', () => pid1.socket.writableLength === 0);
    await using next = await replace(pid1);
    expect(recordsOf(next)).toEqual({ 0: 'head', 3: 'kept' });
    expect(next.all('run').map(({ run }) => run)).toEqual([5]);
  });

  test.each([9, 20, 60, -1])('is not executed at all if only the bytes up to %i were written', async (end) => {
    await using pid1 = await begin();
    const batch = encodeBatch([keep({ 3: 'kept' }), encodeSpawn(spawn)]);
    pid1.send(batch.subarray(0, end));
    await pid1.until('the bytes to be written', () => pid1.socket.writableLength === 0);
    await using next = await replace(pid1);
    expect(recordsOf(next)).toEqual({ 0: 'head' });
    expect(next.all('run')).toEqual([]);
    next.send(batch);
    await next.spawned(5);
  });

  test('starts no run twice if it is sent again', async () => {
    await using pid1 = await begin();
    pid1.send(encodeBatch([encodeSpawn(spawn)]));
    const { pid } = await pid1.spawned(5);
    await using next = await replace(pid1);
    next.send(encodeBatch([encodeSpawn(spawn)]));
    await next.signal(0);
    await using third = await replace(next);
    expect(third.all('run')).toMatchObject([{ run: 5, pid }]);
  });
});

test('records have their latest content, for any sizes and order', async () => {
  let pid1 = await begin({ deathsYoung: 1_000, longestPause: 1 });
  const size = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 9_000 }), fc.nat({ max: 90_000 }));
  const changes = fc.array(fc.tuple(fc.nat({ max: 12 }), size, fc.nat({ max: 25 })), { minLength: 1, maxLength: 30 });
  const model = new Map([[0, 'head']]);
  try {
    for (const sample of fc.sample(changes, { numRuns: 8, seed: 7 })) {
      for (const [key, length, letter] of sample) {
        const text = String.fromCharCode(97 + letter).repeat(length);
        pid1.send(keep({ [key]: text }));
        if (text === '') model.delete(key);
        else model.set(key, text);
      }
      await pid1.signal(0);
      pid1 = await replace(pid1, { deathsYoung: 1_000, longestPause: 1 });
      const found = recordsOf(pid1);
      expect(Object.keys(found).map(Number)).toEqual([...model.keys()].sort((a, b) => a - b));
      for (const [key, text] of model) expect(found[key] === text).toBe(true);
    }
  } finally {
    await pid1[Symbol.asyncDispose]();
  }
});

describe('a supervisor that does not respond', () => {
  test('is replaced', async () => {
    await using pid1 = await begin({ hungAfter: 300 });
    const run = pid1.spawn({ argv: PUPPET });
    await pid1.line(run, /^ready$/);
    sendSignal(await pid1.supervisor(), 19);
    await using next = await pid1.successor();
    await next.event('restored');
    expect(splitHandover(next.handover).lines).toContain('death=hung 0');
    expect(next.all('run')).toMatchObject([{ run, state: 'executing' }]);
  });

  test('gets a ping first, and is not killed if it responds', async () => {
    await using pid1 = await begin({ hungAfter: 300 });
    const supervisor = await pid1.supervisor();
    for (let asked = 1; asked <= 4; asked += 1) {
      await pid1.until('a ping', () => pid1.all('ping').length === asked);
      pid1.send(encodeAcknowledge(0));
    }
    expect(await pid1.supervisor()).toBe(supervisor);
    expect(pid1.all('ping').length).toBe(4);
  });

  test('after a stop request: PID 1 stops all services, 0', async () => {
    await using pid1 = await begin({ stopWait: 200 });
    await pid1.line(pid1.spawn({ argv: PUPPET }), /^ready$/);
    await freeze(pid1);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(0);
    expect(pid1.output).toMatch(
      /^svc-super: a stop was requested, and the supervisor does not respond: stopping 1 running processes without it$/m,
    );
  });

  test('after a stop request: 137 if a program had to be killed', async () => {
    await using pid1 = await supervise();
    pid1.hello(300, [15], { stopWait: 200 });
    pid1.send(keep({ 0: 'head' }));
    const stubborn = pid1.spawn({
      argv: perl('$SIG{TERM} = "IGNORE"; syswrite STDOUT, "ready\n"; sleep 1000 while 1'),
    });
    await pid1.line(stubborn, /^ready$/);
    await freeze(pid1);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(137);
  });
});

describe('PID 1 starts no further supervisor', () => {
  test('after too many deaths in a row before a supervisor has taken over', async () => {
    await using pid1 = await begin({ deathsBefore: 3, longestPause: 10 });
    await pid1.line(pid1.spawn({ argv: PUPPET }), /^ready$/);
    sendSignal(await pid1.supervisor(), 9);
    for (let death = 1; death <= 3; death += 1) {
      const next = await pid1.successor();
      expect(splitHandover(next.handover).lines.filter((line) => line.startsWith('death='))).toHaveLength(death);
      sendSignal(await next.supervisor(), 9);
    }
    expect(await pid1.code).toBe(70);
    expect(pid1.output).toMatch(
      /the supervisor \(pid \d+\) was killed by signal 9, as those before it, before it had started: stopping 1 running processes, exit code 70$/m,
    );
  });

  test('after one that did not respond', async () => {
    await using pid1 = await begin({ deathsBefore: 1, hungAfter: 300 });
    sendSignal(await pid1.supervisor(), 9);
    await pid1.successor();
    expect(await pid1.code).toBe(70);
    expect(pid1.output).toMatch(
      /the supervisor \(pid \d+\) was killed because it did not respond, as those before it, before it had started: stopping/,
    );
  });

  test('after too many deaths in a row soon after they had taken over', async () => {
    const settings = { deathsYoung: 4, longestPause: 10 };
    await using pid1 = await begin(settings);
    let deaths = 0;
    // On a busy machine one of them may live for longer than a second: then the count begins again.
    for (let current = pid1; ; deaths += 1) {
      sendSignal(await current.supervisor(), 9);
      const next = await Promise.race([current.successor(), pid1.code]);
      if (typeof next === 'number') break;
      await next.event('restored');
      next.hello(5_000, [2, 3, 15], settings);
      await next.signal(0);
      current = next;
    }
    expect(deaths).toBeGreaterThanOrEqual(3);
    expect(await pid1.code).toBe(70);
    expect(pid1.output).toMatch(/was killed by signal 9, as those before it, soon after it had started/);
  });
});

describe('a stop signal without a supervisor', () => {
  test('is carried out', async () => {
    await using pid1 = await begin({ deathsBefore: 100, longestPause: 60_000, stopWait: 200 });
    await pid1.line(pid1.spawn({ argv: PUPPET }), /^ready$/);
    sendSignal(await pid1.supervisor(), 9);
    const next = await pid1.successor();
    sendSignal(await next.supervisor(), 9);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(0);
  });

  test('gives the services their grace period, from the time of the request', async () => {
    const streams = { 0: { kind: 'null' }, 1: { kind: 'pipe' } } as const;
    await using pid1 = await begin({ deathsBefore: 100, longestPause: 60_000, stopWait: 200 });
    const slow = perl(
      '$SIG{TERM} = sub { select(undef, undef, undef, 0.4); syswrite STDOUT, "flushed\n"; exit 0 }; syswrite STDOUT, "ready\n"; sleep 1000 while 1',
    );
    await pid1.line(pid1.spawn({ argv: slow, streams }), /^ready$/);
    sendSignal(await pid1.supervisor(), 9);
    const next = await pid1.successor();
    sendSignal(await next.supervisor(), 9);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(0);
    expect(pid1.output).toMatch(/^flushed$/m);
  });

  test('gives them their whole grace period after an absence of PID 1, such as that of a frozen container', async () => {
    const streams = { 0: { kind: 'null' }, 1: { kind: 'pipe' } } as const;
    await using pid1 = await supervise();
    pid1.hello(3_000, [15], { stopWait: 200 });
    pid1.send(keep({ 0: 'head' }));
    const puppet = perl(
      '$SIG{TERM} = sub { syswrite STDOUT, "TERM\n" }; $SIG{USR1} = sub { syswrite STDOUT, "line " . ++$n . "\n" }; $SIG{USR2} = sub { exit 0 }; syswrite STDOUT, "ready\n"; sleep 1000 while 1',
    );
    const run = pid1.spawn({ argv: puppet, streams });
    await pid1.line(run, /^ready$/);
    const service = await pid1.outer((await pid1.spawned(run)).pid);
    await freeze(pid1);
    await pid1.started.signal(15);
    await pid1.until('the stop', () => /^TERM$/m.test(pid1.output));
    await pid1.started.signal(19);
    await Bun.sleep(4_500);
    sendSignal(service, 10);
    await pid1.started.signal(18);
    // PID 1 runs again, and the service is still alive after that.
    await pid1.until('the first line', () => /^line 1$/m.test(pid1.output));
    sendSignal(service, 10);
    await pid1.until('the second line', () => /^line 2$/m.test(pid1.output));
    sendSignal(service, 12);
    expect(await pid1.code).toBe(0);
  });

  test('sends no stop signal to a program to which the supervisor has sent it', async () => {
    const streams = { 0: { kind: 'null' }, 1: { kind: 'pipe' } } as const;
    await using pid1 = await begin({ stopWait: 200 });
    const counting = perl(
      '$SIG{TERM} = sub { syswrite STDOUT, "TERM\n"; $SIG{ALRM} = sub { exit 0 }; alarm 1 }; syswrite STDOUT, "ready\n"; sleep 1000 while 1',
    );
    const run = pid1.spawn({ argv: counting, stopSignal: 15, streams });
    await pid1.line(run, /^ready$/);
    await pid1.signal(15, { kind: 'main', run });
    await pid1.line(run, /^TERM$/);
    await freeze(pid1);
    await pid1.started.signal(15);
    expect(await pid1.code).toBe(0);
    expect(pid1.output).not.toMatch(/^TERM$/m);
  });
});

test('the successor starts like the first supervisor if that has stored no record and started no run', async () => {
  await using pid1 = await supervise();
  pid1.hello();
  await pid1.signal(0);
  sendSignal(await pid1.supervisor(), 9);
  const next = await pid1.successor();
  expect(splitHandover(next.handover).lines.filter((line) => line.startsWith('restarts='))).toEqual([]);
  next.hello();
  expect((await next.outputOf({ argv: ['/bin/echo', 'hello'] })).trim()).toBe('hello');
});

test('the successor receives exits with their order', async () => {
  await using pid1 = await begin();
  const runs = Array.from({ length: 3 }, () => pid1.spawn({ argv: PUPPET }));
  const outers: number[] = [];
  for (const run of runs) {
    await pid1.line(run, /^ready$/);
    outers.push(await pid1.outer((await pid1.spawned(run)).pid));
  }
  await freeze(pid1);
  for (const at of [2, 0, 1]) {
    sendSignal(outers[at] ?? 0, 15);
    await pid1.until('the exit', () => statusOf(outers[at] ?? 0, 'State') === '');
  }
  await using next = await replace(pid1);
  const entries = [...next.all('run')].sort((a, b) => a.order - b.order);
  expect(entries.map(({ run }) => run)).toEqual([runs[2], runs[0], runs[1]] as number[]);
});
