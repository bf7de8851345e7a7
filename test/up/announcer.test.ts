// The supervisor's own log: its levels, its times, its two formats.
import { expect, test } from 'bun:test';
import type { LogLevel, OwnLogPlan } from '../../src/plan/plan.ts';
import { OwnLog } from '../../src/up/announcer.ts';

async function printed(log: Partial<OwnLogPlan>, level: LogLevel | null = null): Promise<string[]> {
  const lines: string[] = [];
  const own = new OwnLog({
    clock: { wall: () => Date.UTC(2026, 0, 31) },
    logs: { prefix: () => 'svc-super | ' },
    sink: { offer: (bytes) => lines.push(Buffer.from(bytes).toString()) > 0 },
    level,
  });
  await own.apply({ log: { level: 'info', format: 'text', time: false, ...log } });
  own.print({ level: 'debug', service: 'a', event: 'spawn', text: 'run 1 is being started' });
  own.print({ level: 'info', service: 'a', event: 'started', text: 'started' });
  own.print({ level: 'warn', service: null, event: 'doubtful', text: 'odd\x1b[1m' });
  own.print({ level: 'error', service: null, event: 'bug', text: 'bad' });
  return lines;
}

const LINES = {
  debug: 'svc-super | debug: a run 1 is being started\n',
  info: 'svc-super | a started\n',
  warn: 'svc-super | warning: odd\\x1b[1m\n',
  error: 'svc-super | error: bad\n',
};

test('a line below the level is not printed', async () => {
  expect(await printed({ level: 'debug' })).toEqual([LINES.debug, LINES.info, LINES.warn, LINES.error]);
  expect(await printed({})).toEqual([LINES.info, LINES.warn, LINES.error]);
  expect(await printed({ level: 'error' })).toEqual([LINES.error]);
});

test('the level of the command line is stronger than that of the file', async () => {
  expect(await printed({ level: 'debug' }, 'warn')).toEqual([LINES.warn, LINES.error]);
  expect(await printed({ level: 'error' }, 'debug')).toHaveLength(4);
});

test('the time comes before the text; JSON has it anyway', async () => {
  expect((await printed({ time: true }))[0]).toBe('svc-super | 2026-01-31T00:00:00.000Z a started\n');
  const [first, ...rest] = await printed({ format: 'json', level: 'debug' });
  expect(JSON.parse(first ?? '')).toMatchObject({ level: 'debug', about: 'a', msg: 'run 1 is being started' });
  expect(rest).toHaveLength(3);
});
