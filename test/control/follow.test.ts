// Log followers: stored lines, new lines, and that only a reader that does not keep up loses lines, visibly.
// Time is simulated.
import { expect, test } from 'bun:test';
import { FakeSource, open, request } from './fake.ts';

const line = (at: number, text: string) => ({ time: at, stream: 'stdout' as const, text });

test('stored lines: in order of time, the last N in all, none from before a time', async () => {
  const source = new FakeSource();
  source.past.set('db', [line(1, 'a'), line(4, 'd')]);
  source.past.set('api', [line(2, 'b'), line(3, 'c')]);
  const texts = async (query: string) => {
    const { outlet } = open(await request(source, 'GET', `/v1/logs${query}`));
    expect(outlet.ended).toBe(true);
    return outlet.lines.map(({ text }) => text).join('');
  };
  expect(await texts('')).toBe('abcd');
  expect(await texts('?lines=3')).toBe('bcd');
  expect(await texts('?since=3')).toBe('cd');
  expect(await texts('?service=db')).toBe('ad');
  expect(await texts('?service=d*&service=api&lines=1')).toBe('d');
  expect((await request(source, 'GET', '/v1/logs?service=nope')).status).toBe(404);
  expect((await request(source, 'GET', '/v1/logs?lines=x')).status).toBe(400);
});

test('a stored line without an end is marked', async () => {
  const source = new FakeSource();
  source.past.set('db', [line(1, 'a'), { ...line(2, 'b'), unfinished: true }]);
  const { outlet } = open(await request(source, 'GET', '/v1/logs'));
  const common = { service: 'db', stream: 'stdout' };
  expect(
    outlet.text
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text)),
  ).toEqual([
    { time: '1970-01-01T00:00:00.001Z', ...common, text: 'a' },
    { time: '1970-01-01T00:00:00.002Z', ...common, text: 'b', unfinished: true },
  ]);
});

test('a follower gets new lines completely, and none after it has disconnected', async () => {
  const source = new FakeSource();
  source.past.set('db', [line(0, 'before')]);
  const { outlet, stop } = open(await request(source, 'GET', '/v1/logs?service=db&follow=1'));
  source.print('db', 'one\ntwo\n');
  source.print('db', 'three\n', 'stderr');
  source.print('api', 'not mine\n');
  source.tick();
  expect(outlet.lines.map(({ stream, text }) => `${stream} ${text}`)).toEqual([
    'stdout before',
    'stdout one',
    'stdout two',
    'stderr three',
  ]);
  stop();
  expect(source.followers.get('db')?.size).toBe(0);
});

test('a slow reader receives the number of skipped lines; another one misses none', async () => {
  const source = new FakeSource();
  const slow = open(await request(source, 'GET', '/v1/logs?service=db&follow=1'));
  const quick = open(await request(source, 'GET', '/v1/logs?service=db&follow=1'));
  source.print('db', 'taken\n');
  slow.outlet.queued = 1_000_000;
  source.tick();
  source.print('db', 'a\nb\n');
  source.print('db', 'c\n');
  source.tick();
  slow.outlet.queued = 0;
  source.tick();
  source.print('db', 'd\n');
  source.tick();
  expect(slow.outlet.lines).toMatchObject([
    { text: 'taken' },
    { skipped: 3, text: '[3 lines skipped: reader too slow]' },
    { text: 'd' },
  ]);
  expect(quick.outlet.lines.map(({ text }) => text)).toEqual(['taken', 'a', 'b', 'c', 'd']);
});

test('a reader that was full, and has caught up before the next line, misses none', async () => {
  const source = new FakeSource();
  const slow = open(await request(source, 'GET', '/v1/logs?service=db&follow=1'));
  const other = open(await request(source, 'GET', '/v1/logs?service=api&follow=1'));
  slow.outlet.queued = 1_000_000;
  source.print('api', 'a\n');
  source.tick();
  expect(source.timers).toEqual([]);
  slow.outlet.queued = 0;
  source.print('db', 'd\n');
  source.tick();
  expect(slow.outlet.lines).toMatchObject([{ text: 'd' }]);
  expect(other.outlet.lines).toMatchObject([{ text: 'a' }]);
});

test('a flood is bounded: sent and skipped lines add up to all lines', async () => {
  const source = new FakeSource();
  const { outlet } = open(await request(source, 'GET', '/v1/logs?service=db&follow=1'));
  const block = `${'x'.repeat(99)}\n`.repeat(10_000);
  for (let at = 0; at < 20; at += 1) source.print('db', block);
  expect(outlet.text).toBe('');
  source.tick();
  source.print('db', 'end\n');
  source.tick();
  const skipped = outlet.lines.reduce((sum, { skipped = 0 }) => sum + Number(skipped), 0);
  const lines = outlet.lines.filter((entry) => !('skipped' in entry)).length;
  expect(lines + skipped).toBe(200_001);
  expect(outlet.text.length).toBeLessThan(1024 * 1024);
  expect(outlet.lines.at(-1)).toMatchObject({ text: 'end' });
});

test('only lines that match: the last N of them, until a time, and new ones', async () => {
  const source = new FakeSource();
  source.past.set('db', [line(1, 'ERROR a'), line(4, 'error d'), line(5, 'fine')]);
  source.past.set('api', [line(2, 'b'), line(3, 'an error')]);
  const texts = async (query: string) =>
    open(await request(source, 'GET', `/v1/logs${query}`)).outlet.lines.map(({ text }) => text);
  expect(await texts('?grep=error')).toEqual(['an error', 'error d']);
  expect(await texts('?grep=(%3Fi)error&lines=2')).toEqual(['an error', 'error d']);
  expect(await texts('?grep=(%3Fi)^error&until=3')).toEqual(['ERROR a']);
  expect(await texts('?until=2&lines=1')).toEqual(['b']);
  const { outlet } = open(await request(source, 'GET', '/v1/logs?service=db&follow=1&grep=two|four&lines=0'));
  source.print('db', 'one\ntwo\nthree\n');
  source.print('db', 'four\n');
  source.tick();
  expect(outlet.lines.map(({ text }) => text)).toEqual(['two', 'four']);
});

test('much stored output is searched in parts; new lines follow it, and a reader may leave before', async () => {
  const source = new FakeSource();
  const long = 'x'.repeat(20_000);
  source.past.set('db', [line(1, `1 ${long}`), line(2, `2 ${long}`), line(3, `3 ${long}`)]);
  const once = open(await request(source, 'GET', '/v1/logs?service=db&grep=x'));
  expect([once.outlet.text, source.timers.length]).toEqual(['', 1]);
  for (let at = 0; at < 3; at += 1) source.tick();
  expect(once.outlet.lines.map(({ text }) => String(text)[0])).toEqual(['1', '2', '3']);
  expect(once.outlet.ended).toBe(true);

  const { outlet, stop } = open(await request(source, 'GET', '/v1/logs?service=db&grep=x&follow=1'));
  source.print('db', '4 x\n');
  for (let at = 0; at < 10; at += 1) source.tick();
  expect(outlet.lines.map(({ text }) => String(text)[0])).toEqual(['1', '2', '3', '4']);
  stop();

  const left = open(await request(source, 'GET', '/v1/logs?service=db&grep=x&follow=1'));
  left.stop();
  expect([left.outlet.text, source.timers.length]).toEqual(['', 0]);
});

test('a pattern that RE2 refuses, and an end of an endless stream', async () => {
  const error = async (query: string) => {
    const response = await request(new FakeSource(), 'GET', `/v1/logs${query}`);
    return [response.status, 'body' in response ? response.body : null];
  };
  expect(await error('?grep=(')).toEqual([400, { error: expect.stringMatching(/^`grep` is not a pattern: /) }]);
  expect(await error('?follow=1&until=5')).toEqual([400, { error: '`until` and `follow` exclude each other' }]);
  expect((await error('?until=x'))[0]).toBe(400);
});

test('a flood is searched in part: found and skipped lines are reported', async () => {
  const source = new FakeSource();
  const { outlet } = open(await request(source, 'GET', '/v1/logs?service=db&follow=1&grep=needle'));
  const block = `${`${'x'.repeat(99)}\n`.repeat(49)}needle\n`;
  for (let at = 0; at < 200; at += 1) source.print('db', block);
  source.tick();
  source.print('db', 'needle at the end\n');
  source.tick();
  const skipped = outlet.lines.reduce((sum, { skipped = 0 }) => sum + Number(skipped), 0);
  const found = outlet.lines.filter(({ text }) => text === 'needle').length;
  expect(found).toBeGreaterThan(2);
  expect(found).toBeLessThan(20);
  // A block is searched or skipped as a whole.
  expect(skipped).toBe((200 - found) * 50);
  expect(outlet.lines.find(({ skipped }) => skipped !== undefined)?.text).toMatch(
    /skipped: reader or search too slow\]$/,
  );
  expect(outlet.lines.at(-1)).toMatchObject({ text: 'needle at the end' });
});
