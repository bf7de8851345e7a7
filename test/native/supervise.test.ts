// PID 1 and its supervisor: received and sent signals, orphans, a supervisor that reads nothing, and notify sockets.
import { describe, expect, test } from 'bun:test';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatagramSender } from '../../fuzz/datagrams.ts';
import {
  encodeBatch,
  encodeRelease,
  encodeSignal,
  encodeSpawn,
  encodeWatch,
  type SpawnFrame,
} from '../../src/pid1/protocol.ts';
import { sendSignal, shell, useNative } from '../helpers/native.ts';
import { childrenOf, isRoot, perl, statOf, statusOf, takeOver } from '../helpers/pid1.ts';
import { INHERITED } from '../helpers/plans.ts';

useNative();

const rootTest = isRoot ? test : test.skip;
const TRAP = join(import.meta.dir, '../helpers/trap-seccomp.pl');
const asUser = ['setpriv', '--reuid=4242', '--regid=4242', '--clear-groups'];

describe('signals', () => {
  test('every signal that PID 1 receives is reported', async () => {
    await using pid1 = await takeOver();
    const outer = await pid1.started.pid();
    for (let signal = 1; signal <= 64; signal += 1) {
      if (signal === 9 || signal === 17 || signal === 19) continue;
      sendSignal(outer, signal);
      await pid1.event('received', (event) => event.signal === signal);
    }
    expect(pid1.all('received').length).toBe(61);
    // The report names the sender if the sender has a PID in this namespace.
    const run = pid1.spawn({ argv: perl('kill 10, 1; print $$') });
    const { pid } = await pid1.spawned(run);
    await pid1.event('received', (event) => event.signal === 10 && event.pid === pid);
  });

  test('a process is identified by PID and start time, and no other process is ever signalled', async () => {
    await using pid1 = await takeOver();
    const run = pid1.spawn({ argv: shell('sleep 1000 & echo $!; wait') });
    const { pid, start } = await pid1.spawned(run);
    const child = Number((await pid1.line(run, /^(\d+)$/))[1]);
    const outer = await pid1.outer(child);
    const childStart = Number(statOf(outer, 22));
    const target = (number: number, startTime: number) => ({ kind: 'process', pid: number, start: startTime }) as const;
    const wrong = [
      target(child, childStart + 1),
      target(pid, start + 1),
      target(3_999_999, 1),
      target(1, 0),
      target(0, 0),
      target(-1, 0),
    ];
    expect(await pid1.signal(9, ...wrong)).toEqual(wrong.map((_, index) => ({ index, errno: 3 })));
    expect([existsSync(`/proc/${outer}`), statusOf(await pid1.outer(pid), 'State')[0]]).toEqual([true, 'S']);
    expect(await pid1.signal(9, target(child, childStart))).toEqual([]);
    await pid1.until('its end', () => !existsSync(`/proc/${outer}`));
    expect((await pid1.exited(run)).status).toBe(0);
    // A process that was reaped is not signalled, even with its start time.
    expect(await pid1.signal(9, target(pid, start), { kind: 'main', run }, { kind: 'group', run })).toEqual(
      [0, 1, 2].map((index) => ({ index, errno: 3 })),
    );
  });

  test('without pidfd_open(2) the start time is compared too', async () => {
    await using pid1 = await takeOver({ through: ['perl', TRAP, 'ENOSYS', 'pidfd_open'] });
    const run = pid1.spawn({ argv: shell('sleep 1000 & echo $!; wait') });
    const child = Number((await pid1.line(run, /^(\d+)$/))[1]);
    const start = Number(statOf(await pid1.outer(child), 22));
    expect(await pid1.signal(9, { kind: 'process', pid: child, start: start + 1 })).toEqual([{ index: 0, errno: 3 }]);
    expect(await pid1.signal(9, { kind: 'process', pid: child, start })).toEqual([]);
    expect((await pid1.exited(run)).status).toBe(0);
  });

  test('a main process and a process group are identified by their run', async () => {
    await using pid1 = await takeOver();
    const argv = perl(
      'if (!fork) { $SIG{TERM} = sub { exit 0 }; syswrite STDOUT, "child\\n"; sleep 1000 while 1 } $SIG{TERM} = sub { exit 3 }; $SIG{USR1} = sub { syswrite STDOUT, "main\\n" }; sleep 1000 while 1',
    );
    const run = pid1.spawn({ argv });
    await pid1.line(run, /^child$/);
    const outer = await pid1.outer((await pid1.spawned(run)).pid);
    await pid1.until('its handlers', () => (BigInt(`0x${statusOf(outer, 'SigCgt')}`) & 0x4200n) === 0x4200n);
    const [child = 0] = childrenOf(outer);
    expect(await pid1.signal(10, { kind: 'main', run })).toEqual([]);
    await pid1.line(run, /^main$/);
    expect(await pid1.signal(15, { kind: 'group', run })).toEqual([]);
    expect((await pid1.exited(run)).status).toBe(3 << 8);
    await pid1.until('the end of the child', () => !existsSync(`/proc/${child}`));
  });

  rootTest('EPERM is reported', async () => {
    await using pid1 = await takeOver({ pid1: false, before: 'sleep 1000 & echo $!', through: asUser });
    const other = Number((await pid1.started.line(/^(\d+)$/))[1]);
    const start = Number(statOf(await pid1.outer(other), 22));
    expect(await pid1.signal(9, { kind: 'process', pid: other, start })).toEqual([{ index: 0, errno: 1 }]);
  });

  test('one request can signal a thousand processes, and the first 256 failures are reported', async () => {
    await using pid1 = await takeOver();
    const runs = Array.from({ length: 1_000 }, () => pid1.spawn({ argv: ['sleep', '1000'], streams: {} }));
    for (const run of runs) await pid1.spawned(run);
    expect(await pid1.signal(9, ...runs.map((run) => ({ kind: 'main', run }) as const))).toEqual([]);
    for (const run of runs) expect((await pid1.exited(run)).status).toBe(9);
    const failures = await pid1.signal(9, ...runs.map((run) => ({ kind: 'main', run }) as const));
    expect(failures).toEqual(Array.from({ length: 256 }, (_, index) => ({ index, errno: 3 })));
  });
});

/** Bytes that a process has read or written: proc_pid_io(5). */
const bytesOf = (pid: number, field: 'rchar' | 'wchar') =>
  Number(new RegExp(`^${field}: (\\d+)$`, 'm').exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);

/** A program that PID 1 does not start, because no pipe has that number. */
const unstartable = (run: number): SpawnFrame => ({
  ...{ run, stopSignal: 15, mark: 0n, cgroup: null, notify: null, terminal: false },
  streams: new Map([[1, { kind: 'same', pipe: 0 }]]),
  spec: { argv: ['x'], env: {}, cwd: null, attributes: INHERITED },
});

describe('orphans', () => {
  test('are reported by PID while they are watched, and by count otherwise', async () => {
    await using pid1 = await takeOver();
    pid1.send(encodeWatch(true));
    const orphan = 'if (!fork) { if (!fork) { syswrite STDOUT, "orphan $$\\n"; exit } exit } wait';
    const run = pid1.spawn({ argv: perl(orphan) });
    const number = Number((await pid1.line(run, /^orphan (\d+)$/))[1]);
    await pid1.event('reaped', (event) => event.pids.includes(number) && event.isComplete);
    pid1.send(encodeWatch(false));
    pid1.spawn({ argv: perl(`for (1 .. 5) { ${orphan} }`) });
    const { pids } = await pid1.event('reaped', (event) => event.total >= 6);
    expect(pids).toEqual([]);
  });

  test('are reported though the other reports of the same time have filled the buffer', async () => {
    await using pid1 = await takeOver();
    pid1.send(encodeWatch(true));
    const outer = await pid1.started.pid();
    const relay = await pid1.supervisor();
    const run = pid1.spawn({ argv: shell('(sleep 1000 >/dev/null & echo $!)') });
    const orphan = Number((await pid1.line(run, /^(\d+)$/))[1]);
    await pid1.exited(run);
    const outerOrphan = await pid1.outer(orphan);
    // Replies of 20 bytes fill the buffer (OUT_MOST, 128 KiB) up to 8 KiB (2 * EVENT_MOST), where no request is handled any more;
    // then the report of SIGCONT, and those of failed starts, 24 bytes each, until less than EVENT_MOST is left.
    const signals = Array.from({ length: (131_072 - 8_192) / 20 }, (_, at) => encodeSignal(1_000 + at, 0, []));
    const starts = Array.from({ length: 170 }, (_, at) => encodeSpawn(unstartable(1_000 + at)));
    const batch = encodeBatch([...signals, ...starts]);
    const before = bytesOf(outer, 'rchar');
    pid1.send(batch.subarray(0, -1));
    await pid1.until('the batch to be read', () => bytesOf(outer, 'rchar') >= before + batch.length - 1);
    // PID 1 then finds the orphan and the last byte of the batch at the same time.
    sendSignal(outer, 19);
    await pid1.until('PID 1 to be stopped', () => statusOf(outer, 'State').startsWith('T'));
    sendSignal(outerOrphan, 9);
    await pid1.until('the end of the orphan', () => statusOf(outerOrphan, 'State').startsWith('Z'));
    const relayed = bytesOf(relay, 'wchar');
    pid1.send(batch.subarray(-1));
    await pid1.until('the last byte to be relayed', () => bytesOf(relay, 'wchar') > relayed);
    sendSignal(outer, 18);
    await pid1.failed(1_169);
    // Any later event would have the orphan reported too, but after its own.
    await pid1.signal(0);
    expect(pid1.events.at(-2)).toMatchObject({ type: 'reaped', pids: [orphan] });
  });
});

describe('a supervisor that reads nothing', () => {
  test('costs no memory or processor time, and receives all reports afterwards', async () => {
    await using pid1 = await takeOver();
    const outer = await pid1.started.pid();
    const fork =
      '$SIG{USR1} = sub { $go = 1 }; syswrite STDOUT, "ready\\n"; select(undef, undef, undef, 0.01) until $go; for (1 .. 5000) { if (!fork) { if (!fork) { exit } exit } wait } exit 7';
    const forking = pid1.spawn({ argv: perl(fork) });
    const ending = Array.from({ length: 100 }, (_, at) =>
      pid1.spawn({ argv: perl(`sleep 1000; exit ${at}`), streams: {} }),
    );
    for (const run of ending) await pid1.spawned(run);
    await pid1.line(forking, /^ready$/);
    const pids = await Promise.all(ending.map(async (run) => (await pid1.spawned(run)).pid));
    const supervisor = await pid1.supervisor();
    const main = await pid1.outer((await pid1.spawned(forking)).pid);
    sendSignal(supervisor, 19);
    await pid1.until('it to be stopped', () => statusOf(supervisor, 'State').startsWith('T'));
    sendSignal(main, 10);
    for (const pid of pids) sendSignal(await pid1.outer(pid), 9);
    for (const signal of [1, 10, 12, 34, 64]) sendSignal(outer, signal);
    // All other children are reaped: the stopped supervisor is the only one left.
    await pid1.until('all to be reaped', () => childrenOf(outer).length === 1);
    expect(Number(statusOf(outer, 'VmRSS').split(' ')[0])).toBeLessThan(400);
    expect(pid1.all('exited').length).toBe(0);
    sendSignal(supervisor, 18);
    for (const run of ending) expect((await pid1.exited(run)).status).toBe(9);
    expect((await pid1.exited(forking)).status).toBe(7 << 8);
    for (const signal of [1, 10, 12, 34, 64]) await pid1.event('received', (event) => event.signal === signal);
    await pid1.event('reaped', (event) => event.total === 5_000);
  });

  test('does not make PID 1 spin while all buffers between them are full', async () => {
    await using pid1 = await takeOver();
    const outer = await pid1.started.pid();
    const targets = Array.from({ length: 256 }, () => ({ kind: 'main', run: 99_999 }) as const);
    const orphans = pid1.spawn({
      argv: perl(
        '$SIG{USR1} = sub { if (!fork) { if (!fork) { exit } exit } wait }; syswrite STDOUT, "ready\\n"; sleep 1000 while 1',
      ),
    });
    await pid1.line(orphans, /^ready$/);
    // Each reply has 2 KB. The test reads none, so the buffers of relay, socket and PID 1 fill up.
    pid1.socket.pause();
    const answers = 2_000;
    for (let at = 0; at < answers; at += 1) pid1.send(encodeSignal(10_000 + at, 9, targets));
    const cpu = () => Number(statOf(outer, 14)) + Number(statOf(outer, 15));
    const switches = () => Number(statusOf(outer, 'voluntary_ctxt_switches'));
    let before = -1;
    await pid1.until('PID 1 to stop reading', () => {
      const now = switches();
      const isStill = now === before && /^S/.test(statusOf(outer, 'State'));
      before = now;
      return isStill;
    });
    // Reports of signals fill the rest of the buffer of PID 1. Then an orphan waits to be reported.
    for (let round = 0; round < 60; round += 1) for (const signal of [1, 34, 35, 10, 12]) sendSignal(outer, signal);
    sendSignal(
      childrenOf(outer).find((pid) => !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('svc-super')) ?? 0,
      10,
    );
    await pid1.until('the orphan to be reaped', () => childrenOf(outer).length === 2);
    const from = cpu();
    // Longer than the interval between two reports of orphans.
    const deadline = performance.now() + 1_500;
    await pid1.until('that time', () => performance.now() > deadline);
    expect(cpu() - from).toBeLessThan(20);
    expect(Number(statusOf(outer, 'VmRSS').split(' ')[0])).toBeLessThan(1_024);
    pid1.socket.resume();
    await pid1.until('all answers', () => pid1.all('signalled').length === answers);
    await pid1.event('reaped', (event) => event.total >= 1);
  });
});

describe('notify sockets', () => {
  test('pass on each datagram with its sender, report truncation, and keep no descriptor', async () => {
    await using pid1 = await takeOver();
    const notify = `svc-test-${process.pid}-${Math.random()}`;
    const text = `use Socket; socket(S, PF_UNIX, SOCK_DGRAM, 0); connect(S, pack_sockaddr_un("\\0" . shift)) or die "$!";
      send(S, "READY=1\\nSTATUS=h\\x{e4}", 0); send(S, "", 0); $SIG{USR1} = sub { exit }; sleep 1000 while 1`;
    const run = pid1.spawn({ argv: perl(text, notify), notify });
    const { pid } = await pid1.spawned(run);
    const uid = process.getuid?.() ?? 0;
    expect(await pid1.event('notified')).toMatchObject({
      run,
      pid,
      uid: isRoot ? uid : 0,
      text: 'READY=1\nSTATUS=h\ufffd',
    });
    await pid1.event('notified', (event) => event.text === '');
    const outer = await pid1.started.pid();
    const descriptors = () =>
      childrenOf(outer).length >= 0 &&
      [...new Bun.Glob('*').scanSync({ cwd: `/proc/${outer}/fd`, onlyFiles: false })].length;
    const before = descriptors();
    const sender = new DatagramSender(`@${notify}`);
    const file = openSync('/etc/passwd', 'r');
    const send = (data: string, from: number, along: readonly number[]) =>
      pid1.until('room', () => sender.send(Buffer.from(data), from, along));
    for (let at = 0; at < 50; at += 1) await send(`A=${at}`, uid, [file, file]);
    await send('x'.repeat(8_192), uid, []);
    await send('y'.repeat(8_193), uid, []);
    if (isRoot) await send('other', 65_534, []);
    await send('last', uid, []);
    await pid1.event('notified', (event) => event.text === 'last');
    const texts = pid1
      .all('notified')
      .slice(2)
      .map((event) => event.text);
    expect(texts.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, at) => `A=${at}`));
    expect(texts.slice(50, 52)).toEqual(['x'.repeat(8_192), '']);
    if (isRoot) expect(pid1.all('notified').find((event) => event.text === 'other')).toMatchObject({ uid: 65_534 });
    expect(descriptors()).toBe(before);
    pid1.send(encodeRelease(run));
    await pid1.until('the socket to be closed', () => descriptors() < before);
    sender.close();
  });
});
