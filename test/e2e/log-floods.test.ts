// Extreme output: one endless line, single bytes, hundreds of services at once. The output is complete, and the supervisor's own
// memory stays bounded.
import { expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { supervisorOf } from '../helpers/namespaces.ts';
import { binary, freePort, played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const MiB = 1024 * 1024;

/** The peak memory of svc-super and its supervisor in bytes, including pages of their files; 0 after the end. */
function peakOf(pid1: number): number {
  return [pid1, supervisorOf(pid1)].reduce<number>((sum, pid) => {
    if (pid === undefined) return sum;
    return sum + Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  }, 0);
}

/** Runs a configuration as PID 1 and reads its standard output without storing it. */
async function flood(services: object, take: (chunk: Uint8Array) => void): Promise<{ code: number; peak: number }> {
  const folder = process.env.TMPDIR ?? '/tmp';
  const socket = `${folder}/svc-flood-${process.pid}.sock`;
  const file = `${folder}/svc-flood-${process.pid}.yaml`;
  await Bun.write(file, JSON.stringify({ exit: 'all', services }));
  const child = Bun.spawn({
    cmd: [binary, 'up', '-f', file],
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
    env: { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: socket },
  });
  let peak = 0;
  let bytes = 0;
  for await (const chunk of child.stdout) {
    take(chunk);
    bytes += chunk.length;
    if (bytes % 64 < 8 || peak === 0) peak = Math.max(peak, peakOf(child.pid));
  }
  const code = await child.exited;
  await Bun.file(file).delete();
  return { code, peak };
}

const perl = (script: string) => ({ type: 'task', command: ['/usr/bin/perl', '-e', script] });

test('a line of 300 MB without a newline is complete, in marked pieces, in bounded memory', async () => {
  const script = 'my $x = "x" x 1048576; for (1 .. 300) { print $x } print "end"';
  let letters = 0;
  let marks = 0;
  let tail = '';
  const { code, peak } = await flood({ a: { ...perl(script), log: { prefix: false } } }, (chunk) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) marks += 1;
    letters += chunk.length;
    tail = (tail + Buffer.from(chunk.subarray(-64)).toString('latin1')).slice(-64);
  });
  expect(code).toBe(0);
  // Every piece except the last ends with ` [...]`; every piece with a newline.
  expect(letters - marks - (marks - 1) * ' [...]'.length).toBe(300 * MiB + 3);
  expect(tail).toEndWith('end\n');
  expect(peak).toBeLessThan(200 * MiB);
});

test('a service that writes 200,000 single bytes is read completely', async () => {
  const script = 'for my $n (1 .. 200000) { syswrite STDOUT, $n % 100 ? "y" : "\\n" }';
  const hash = createHash('md5');
  const { code } = await flood({ a: { ...perl(script), log: { prefix: false } } }, (chunk) => hash.update(chunk));
  expect(code).toBe(0);
  expect(hash.digest('hex')).toBe(
    createHash('md5')
      .update(`${'y'.repeat(99)}\n`.repeat(2_000))
      .digest('hex'),
  );
});

test('200 services that write at once are all complete, each in order', async () => {
  const names = Array.from({ length: 200 }, (_, n) => `s${n}`);
  const script = 'for my $n (1 .. 2000) { print "$ENV{SVC_NAME} $n\\n" }';
  const counts = new Map<string, number>();
  let rest = '';
  let torn = 0;
  const services = Object.fromEntries(names.map((name) => [name, { ...perl(script), log: { prefix: false } }]));
  const { code, peak } = await flood(services, (chunk) => {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [name = '', number] = line.split(' ');
      const next = (counts.get(name) ?? 0) + 1;
      if (Number(number) !== next) torn += 1;
      counts.set(name, next);
    }
  });
  expect(code).toBe(0);
  expect(torn).toBe(0);
  expect([...counts.values()].filter((count) => count === 2_000).length).toBe(200);
  expect(peak).toBeLessThan(250 * MiB);
});

test('two services that exit with their last byte are complete, compared with sed', async () => {
  const lines = 200_000;
  const script = `for my $n (1 .. ${lines}) { printf "%s %07d %s\\n", $ENV{SVC_NAME}, $n, "." x 60 }`;
  const [one, two] = [createHash('md5'), createHash('md5')];
  let rest = Buffer.alloc(0);
  const { code } = await flood({ one: perl(script), two: perl(script) }, (chunk) => {
    const bytes = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = bytes.subarray(from, at + 1);
      (line[0] === 'o'.charCodeAt(0) ? one : two).update(line);
      from = at + 1;
    }
    rest = bytes.subarray(from);
  });
  expect(code).toBe(0);
  const expected = (name: string) => {
    const hash = createHash('md5');
    for (let n = 1; n <= lines; n += 1) {
      hash.update(`${name.padEnd(9)} | ${name} ${`${n}`.padStart(7, '0')} ${'.'.repeat(60)}\n`);
    }
    return hash.digest('hex');
  };
  expect([one.digest('hex'), two.digest('hex')]).toEqual([expected('one'), expected('two')]);
});

test('four services flood a stalled reader: they are slowed down, everything else continues, and no byte is missing', async () => {
  // On SIGTERM they first write all of their lines.
  const script =
    '$SIG{TERM} = "IGNORE"; for my $n (1 .. 400000) { printf "%s %07d %s\\n", $ENV{SVC_NAME}, $n, "." x 80 }';
  const floods = Object.fromEntries(
    ['a', 'b', 'c', 'd'].map((name) => [name, { ...perl(script), log: { prefix: false } }]),
  );
  const port = await freePort();
  const probed = played({ ready: { http: `http://127.0.0.1:${port}/`, interval: '50ms' } });
  await using run = await up(
    { exit: 'all', stop_timeout: '120s', services: { ...floods, probed } },
    { stdout: 'stall' },
  );
  const other = await run.puppet('probed');
  await other.listen(port);
  await other.respond(503, 'not yet');
  // Blocked in write(2): the state of a process that waits for its pipe.
  const writers = () => run.ps().filter(({ pid, name }) => name === 'perl' && pid !== other.hello.pid);
  await until('all four to be held', () => {
    const found = writers();
    return found.length === 4 && found.every(({ state }) => state === 'S');
  });
  const states = (await run.status()).services.map(({ name, state }) => `${name} ${state}`);
  expect(states).toEqual(['a running', 'b running', 'c running', 'd running', 'probed starting']);
  await other.respond(200, 'now');
  await run.state('probed', 'ready');
  await other.orphans(50);
  await until('the orphans to be reaped', () => writers().length === 4 && run.ps().every(({ state }) => state !== 'Z'));
  expect(run.memory('RssAnon')).toBeLessThan(64 * MiB);
  await other.trap('TERM');
  run.signal('SIGTERM');
  await other.signalled('SIGTERM');
  await other.exit(0);
  await run.reaped(other.hello.pid);
  expect(writers().length).toBe(4);
  run.output.resume();
  await run.ends(0);
  const seen = new Map<string, number>();
  for (const line of run.output.bytes('stdout').toString('latin1').split('\n')) {
    const [name = '', number] = line.split(' ');
    if (name === '') continue;
    expect(Number(number)).toBe((seen.get(name) ?? 0) + 1);
    seen.set(name, Number(number));
  }
  expect([...seen.values()]).toEqual([400_000, 400_000, 400_000, 400_000]);
});
