// Output: streams, prefixes, order, lines of every form, JSON, floods that end with an exit, a reader that stalls or disconnects,
// and the post-mortem at the end.
import { expect, test } from 'bun:test';
import { floodLine } from '../helpers/puppet.ts';
import { type Puppet, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** The bytes that services printed on a stream without the prefix `a | `, and without the supervisor's own lines. */
function printed(run: Run, stream: 'stdout' | 'stderr', name = 'a'): string {
  const prefix = new RegExp(`^${name} +\\| `);
  const lines = run.output.bytes(stream).toString('latin1').split('\n');
  return lines.flatMap((line) => (prefix.test(line) ? [line.replace(prefix, '')] : [])).join('\n');
}

async function one(log: object = {}): Promise<{ run: Run; a: Puppet }> {
  const run = await up({ services: { a: played({ log }) } });
  return { run, a: await run.puppet('a') };
}

test('standard output and standard error stay separate', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.write(1, 'to out\n');
  await a.write(2, 'to err\n');
  await run.line(/^a +\| to out$/, { stream: 'stdout' });
  await run.line(/^a +\| to err$/, { stream: 'stderr' });
});

test('the prefixes are aligned, and there are no colours without a terminal', async () => {
  await using run = await up({ services: { vllm: played(), 'open-webui': played() } });
  const [vllm, webui] = [await run.puppet('vllm'), await run.puppet('open-webui')];
  await vllm.print('one');
  await webui.print('two');
  expect((await run.line(/one$/)).text).toBe('vllm       | one');
  expect((await run.line(/two$/)).text).toBe('open-webui | two');
  expect((await run.line(/started/)).text).toStartWith('svc-super  | ');
});

test('log.prefix: false leaves the lines unchanged', async () => {
  const { run: starting, a } = await one({ prefix: false });
  await using run = starting;
  await a.print('plain');
  await run.line(/^plain$/);
});

test('order within a stream is kept, also between the processes of a service', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.spawn('kid', { daemon: true });
  const kid = await run.puppet('kid');
  for (let count = 0; count < 20; count += 1) await (count % 2 === 0 ? a : kid).print(`line ${count}`);
  await run.line(/line 19/);
  expect(printed(run, 'stdout')).toBe(Array.from({ length: 20 }, (_, count) => `line ${count}`).join('\n'));
});

test('a line is printed in one piece, however it was written', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.write(1, 'half');
  await b.print('in between');
  await run.line(/b +\| in between/);
  await a.write(1, ' and half\n');
  expect((await run.line(/half/)).text).toMatch(/^a +\| half and half$/);
});

test('empty lines are lines', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.write(1, '\n\nx\n\n');
  await a.exit(0);
  await run.ends(0);
  expect(printed(run, 'stdout')).toBe('\n\nx\n');
});

test('a last line without newline is kept', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.write(1, 'out without end');
  await a.write(2, 'err without end');
  await a.die(9);
  await run.ends(137);
  expect((await run.line(/out without/, { stream: 'stdout' })).text).toMatch(/^a +\| out without end$/);
  expect((await run.line(/err without/, { stream: 'stderr' })).text).toMatch(/^a +\| err without end$/);
});

test('progress bars that move by carriage returns are lines', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.write(2, '\r 10%');
  await a.write(2, '\r 50%');
  await run.line(/^a +\| {2}10%$/);
  await a.write(2, '\r100%\ndone\r\n');
  await run.line(/^a +\| done$/);
  expect(printed(run, 'stderr')).toBe([' 10%', ' 50%', '100%', 'done'].join('\n'));
});

test('a line longer than 64 KiB is split, and the cut is marked', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  const kib = 64 * 1024;
  await a.write(1, `${'x'.repeat(2 * kib + 10)}\nnext\n`);
  await run.line(/^a +\| next$/);
  const lines = printed(run, 'stdout').split('\n');
  expect(lines.map((line) => line.length)).toEqual([kib + 6, kib + 6, 10, 4]);
  expect(lines.map((line) => line.endsWith(' [...]'))).toEqual([true, true, false, false]);
  expect(lines.slice(0, 3).join('').replaceAll(' [...]', '')).toBe('x'.repeat(2 * kib + 10));
});

test('bytes that are not UTF-8 pass through unchanged', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.eval(`put(to_handle(1), join('', map { chr } grep { $_ != 10 && $_ != 13 } 0 .. 255) . "\\n"); undef`);
  await a.print('end');
  await run.line(/\| end$/);
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 13));
  expect(printed(run, 'stdout')).toBe(`${all.toString('latin1')}\nend`);
});

function md5(text: string): string {
  return new Bun.CryptoHasher('md5').update(text).digest('hex');
}

for (const [how, end, code] of [
  ['exits', (a: Puppet) => a.exit(3), 3],
  ['is SIGKILLed', (a: Puppet) => a.die(9), 137],
] as const) {
  for (const pid1 of [true, false]) {
    test(`no byte is lost when a service floods both streams and ${how}${pid1 ? '' : ', below another init'}`, async () => {
      await using run = await up({ services: { a: played() } }, { pid1 });
      const a = await run.puppet('a');
      const [lines, width] = [60_000, 120];
      await a.flood(lines, width, 1, 2);
      await end(a);
      await run.ends(code);
      const expected = (odd: number) =>
        Array.from({ length: lines / 2 }, (_, index) => floodLine(index * 2 + odd, width)).join('\n');
      const tail = (text: string) => text.split('\n').length;
      expect([tail(printed(run, 'stdout')), tail(printed(run, 'stderr'))]).toEqual([lines / 2, lines / 2]);
      expect(md5(printed(run, 'stdout'))).toBe(md5(expected(0)));
      expect(md5(printed(run, 'stderr'))).toBe(md5(expected(1)));
      expect(run.lines.filter((text) => text.startsWith('svc-super')).length).toBeGreaterThan(2);
    });
  }
}

test('floods of two services at the same time consist of whole lines of both', async () => {
  await using run = await up({ exit: 'all', services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await Promise.all([a.flood(20_000, 100, 1), b.flood(20_000, 70, 1)]);
  await Promise.all([a.exit(0), b.exit(0)]);
  await run.ends(0);
  expect(printed(run, 'stdout', 'a')).toBe(Array.from({ length: 20_000 }, (_, n) => floodLine(n, 100)).join('\n'));
  expect(printed(run, 'stdout', 'b')).toBe(Array.from({ length: 20_000 }, (_, n) => floodLine(n, 70)).join('\n'));
});

test('format: json: one object per line, with time, service, stream and msg', async () => {
  const { run: starting, a } = await one({ format: 'json' });
  await using run = starting;
  await a.write(1, 'say "hi"\tü\n');
  await a.write(2, 'err\n');
  const out = JSON.parse((await run.line(/hi/, { stream: 'stdout' })).text);
  const err = JSON.parse((await run.line(/"err"/, { stream: 'stderr' })).text);
  expect(out).toEqual({ time: out.time, service: 'a', stream: 'stdout', msg: 'say "hi"\tü' });
  expect(err).toEqual({ time: err.time, service: 'a', stream: 'stderr', msg: 'err' });
  expect(out.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Math.abs(Date.parse(out.time) - Date.now())).toBeLessThan(120_000);
});

test("format: json as the default: the supervisor's own events and the post-mortem are such objects too", async () => {
  await using run = await up({ defaults: { log: { format: 'json' } }, services: { a: played() } });
  const a = await run.puppet('a');
  await a.print('x');
  await a.exit(3);
  await run.ends(3);
  const objects = run.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const object of objects) {
    expect(Object.keys(object)).toEqual(expect.arrayContaining(['time', 'service', 'stream', 'msg']));
  }
  const own = objects.filter(({ service }) => service === 'svc-super');
  expect(own.find(({ event }) => event === 'started')).toMatchObject({ level: 'info', about: 'a', stream: 'stderr' });
  expect(own.at(-1)).toMatchObject({ event: 'post-mortem', level: 'error' });
});

test('format: json: a service may have another format than the rest', async () => {
  await using run = await up({ services: { a: played({ log: { format: 'json' } }), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await a.print('one');
  await b.print('two');
  expect((await run.line(/one/)).text).toStartWith('{');
  expect((await run.line(/two/)).text).toStartWith('b ');
});

test('/dev/stdout and /dev/stderr can be opened again', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.reopen('/dev/stdout', 'again to out\n');
  await a.reopen('/dev/stderr', 'again to err\n');
  await run.line(/^a +\| again to out$/, { stream: 'stdout' });
  await run.line(/^a +\| again to err$/, { stream: 'stderr' });
});

test('a service that closes its output continues to run', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.print('last');
  await a.close(1, 2);
  await run.line(/last/);
  expect((await run.service('a')).state).toBe('ready');
  await a.exit(4);
  await run.ends(4);
});

test('output of leftover processes during the clean-up is not lost', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.spawn('kid', { daemon: true });
  const kid = await run.puppet('kid');
  await kid.trap('TERM');
  await a.exit(0);
  await kid.signalled('SIGTERM');
  await kid.write(1, 'my last line');
  await kid.exit(0);
  await run.ends(0);
  await run.line(/^a +\| my last line$/);
});

test('a stalled reader slows the services down, and nothing else: status, signals, reaping, and no byte is lost', async () => {
  await using run = await up({ services: { a: played(), b: played() } }, { stdout: 'stall' });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  const [lines, width] = [60_000, 100];
  let written = false;
  const flood = a.flood(lines, width, 1).then(() => {
    written = true;
  });
  await b.orphans(50);
  await until('no zombie', () => run.ps().length === 2);
  expect((await run.status()).phase).toBe('running');
  expect(written).toBe(false);
  await b.trap('TERM');
  await b.orphans(1);
  expect(written).toBe(false);
  run.output.resume();
  await flood;
  await a.exit(0);
  await b.signalled('SIGTERM');
  await b.exit(0);
  await run.ends(0);
  expect(printed(run, 'stdout')).toBe(Array.from({ length: lines }, (_, n) => floodLine(n, width)).join('\n'));
});

test("a stalled reader does not prevent the container's end", async () => {
  await using run = await up({ services: { a: played() } }, { stdout: 'stall' });
  const a = await run.puppet('a');
  void a.flood(60_000, 100, 1).catch(() => undefined);
  await run.status();
  process.kill(run.outerPid, 'SIGTERM');
  // The output is not read until the process has ended.
  await until('the supervisor to be gone', () => run.isOver);
  await run.ends(0);
});

test('when_full: drop: lines that are not read are dropped and counted, and the service continues', async () => {
  await using run = await up({ services: { a: played({ log: { when_full: 'drop' } }) } }, { stdout: 'stall' });
  const a = await run.puppet('a');
  const [lines, width] = [60_000, 100];
  await a.flood(lines, width, 1);
  run.output.resume();
  await until('room', async () => {
    await a.print('again');
    return run.lines.some((text) => /^a +\| again$/.test(text));
  });
  await a.exit(0);
  await run.ends(0);
  const text = printed(run, 'stdout');
  const dropped = [...text.matchAll(/dropped (\d+) lines?: the reader was too slow/g)].map(([, count]) =>
    Number(count),
  );
  const kept = text.split('\n').filter((line) => /^\d{8} x+$/.test(line)).length;
  const again = await a.gone.then(() => text.split('\n').filter((line) => line === 'again').length);
  expect(dropped.length).toBeGreaterThan(0);
  expect(kept).toBeGreaterThan(1_000);
  // Some of the lines that were printed to find space may be among the dropped ones.
  expect(kept + dropped.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(lines);
  expect(again).toBeGreaterThan(0);
});

test('a reader that disconnects loses the output and affects nothing else', async () => {
  await using run = await up({ services: { a: played(), b: played() } }, { stdout: 'gone' });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await Promise.all([a.flood(5_000, 100, 1, 2), b.flood(5_000, 100, 1, 2)]);
  expect((await run.status()).phase).toBe('running');
  await a.exit(5);
  await run.ends(5);
});

// --- the post-mortem ----------------------------------------------------------------------------------------------

/** The lines from the beginning of the post-mortem on. */
function lastWords(run: Run): readonly string[] {
  const at = run.lines.findIndex((text) => text.includes('; the container ends with code'));
  return run.lines.slice(at).map((text) => text.replace(/^svc-super +\| /, ''));
}

test('the post-mortem is printed last: the service, its exit, its uptime, and its last lines', async () => {
  await using run = await up({ services: { vllm: played(), b: played() } });
  const [vllm, b] = [await run.puppet('vllm'), await run.puppet('b')];
  await vllm.print('loading');
  await vllm.write(2, 'CUDA out of memory\n');
  await b.trap('TERM');
  await vllm.die(6);
  await b.signalled('SIGTERM');
  await b.print('shutting down');
  await b.exit(0);
  await run.ends(134);
  const words = lastWords(run);
  expect(words[0]).toMatch(/^error: vllm was killed by SIGABRT after [\d.]+ m?s; the container ends with code 134$/);
  expect(words[1]).toMatch(/^error: last 2 lines of vllm:$/);
  expect(
    words
      .slice(2)
      .map((line) => line.replace(/^error: {3}/, ''))
      .sort(),
  ).toEqual(['CUDA out of memory', 'loading']);
  expect(run.lines.findIndex((text) => text.includes('shutting down'))).toBeLessThan(run.lines.length - words.length);
});

test('the post-mortem comes after all remaining output of a flood', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.flood(30_000, 100, 2);
  await a.exit(3);
  await run.ends(3);
  const words = lastWords(run);
  const last = Array.from({ length: 20 }, (_, at) => `error:   ${floodLine(29_980 + at, 100)}`);
  expect(words.slice(1)).toEqual(['error: last 20 lines of a:', ...last]);
});

test('the post-mortem of a service without output reports that', async () => {
  const { run: starting, a } = await one();
  await using run = starting;
  await a.exit(3);
  await run.ends(3);
  expect(lastWords(run)[1]).toMatch(/a had printed nothing/);
});

test('there is no post-mortem without a failure', async () => {
  for (const [code, stop] of [
    [0, false],
    [0, true],
  ] as const) {
    const { run: starting, a } = await one();
    await using run = starting;
    if (stop) run.signal('SIGTERM');
    else await a.exit(code);
    await run.ends(0);
    expect(run.lines.filter((text) => text.includes('the container ends with code'))).toEqual([]);
  }
});

test('the post-mortem is about the first cause, not about exits during the shutdown', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  await b.trap('TERM');
  await a.exit(3);
  await b.signalled('SIGTERM');
  await b.die(11);
  await run.ends(3);
  expect(lastWords(run)[0]).toMatch(/^error: a exited with code 3/);
});
