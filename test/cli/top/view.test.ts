// What the screen shows: the order of the services, whole columns whatever their names are, and no sequence of a service.
import { describe, expect, test } from 'bun:test';
import stringWidth from 'string-width';
import { PANES } from '../../../src/cli/top/model.ts';
import { withAway, withGraph, withLogs, withStatus, withTimeline } from '../../../src/cli/top/update.ts';
import { viewOf } from '../../../src/cli/top/view.ts';
import { failedService, NOON, plainRows, screenOf, statusOf, topModel, topService } from '../../helpers/top.ts';

const LOG = (text: string) => [{ time: new Date(NOON).toISOString(), service: 'a', stream: 'stdout' as const, text }];

test('failing services come first, with their reason, even in 80 columns', () => {
  const model = topModel([
    topService('web'),
    topService('db', { state: 'starting', ready: false }),
    failedService('api', 'exited with code 3'),
  ]);
  const lines = screenOf(model).split('\n');
  expect(lines.slice(2, 5).map((line) => line.slice(4, 7))).toEqual(['api', 'db ', 'web']);
  expect(lines[2]).toMatch(/✗ api +failed +exited with code 3$/);
  expect(lines[0]).toContain('✗ 1 failing');
});

test('a service that restarts after a success is not failing', () => {
  const again = { state: 'backoff', ready: false, pid: null, success: true } as const;
  const lines = screenOf(topModel([topService('web', again), topService('db')])).split('\n');
  expect(lines[0]).not.toContain('failing');
  expect(lines[2]).toContain('◐ web');
});

test('a task that waits for its time is neither starting nor failing, unless its latest run failed', () => {
  const waits = { type: 'task', state: 'scheduled', pid: null, uptime_seconds: null, usage: null } as const;
  const model = topModel([
    topService('refresh', { ...waits, reason: 'runs in 4m' }),
    topService('backup', { ...waits, ready: false, reason: 'runs again in 9m; the latest run exited with code 3' }),
    topService('web'),
  ]);
  const lines = screenOf(model).split('\n');
  expect(lines[0]).toContain('✗ 1 failing  ● 1 up  ◔ 1 scheduled');
  expect(lines.slice(2, 5).map((line) => line.slice(2, 40))).toEqual([
    expect.stringMatching(/^✗ backup {2}scheduled {2}runs again in 9m;/),
    expect.stringMatching(/^● web +ready /),
    '◔ refresh scheduled  runs in 4m',
  ]);
});

describe('every row has exactly the width of the terminal', () => {
  const names = [
    'a',
    '日本語の名前のサービス',
    'é́́',
    '👩‍👩‍👧',
    '⚠️ warning',
    'x'.repeat(300),
    '\u202eevil\x1b[2J',
    'tab\tname',
  ];
  const services = names.map((name, index) =>
    index % 3 === 0 ? failedService(name, `“${name}” failed`) : topService(name),
  );
  const timeline = {
    name: 'shop',
    elapsed_ms: 9_000,
    ready_ms: null,
    services: names.map((name, index) => ({
      name,
      type: 'service' as const,
      state: 'ready' as const,
      started_ms: index * 100,
      ready_ms: index % 2 === 0 ? null : index * 700,
      ended_ms: index % 4 === 0 ? index * 300 : null,
      after: null,
      critical: index % 2 === 1,
    })),
  };
  test.each([
    [40, 10],
    [80, 24],
    [101, 31],
    [200, 50],
  ])('%i×%i', (columns, rows) => {
    for (const [index, pane] of PANES.entries()) {
      const name = names[index + 1] ?? '';
      const base = { ...topModel(services, { columns, rows }), pane, wraps: index === 0, names: '', selected: name };
      const model = withTimeline(withLogs(base, name, LOG(`漢字 ${'漢'.repeat(150)} \x1b[31mred`)), timeline as never);
      const frame = viewOf({ ...model, dialog: pane === 'details' ? { operation: 'stop', service: name } : null });
      expect(frame.rows.length).toBe(rows);
      for (const row of plainRows({ ...frame, box: null })) expect([row, stringWidth(row)]).toEqual([row, columns]);
      const widths = new Set(plainRows({ ...frame, rows: [] }).map((row) => stringWidth(row)));
      expect(widths.size).toBe(frame.box === null ? 0 : 1);
    }
  });
});

test('a wrapped line of wide characters can be scrolled into view, with all of them', () => {
  const text = '漢'.repeat(60);
  const base = { ...topModel([topService('a')], { columns: 40, rows: 12 }), pane: 'logs' as const, wraps: true };
  const lines = [text, ...Array.from({ length: 20 }, (_, index) => `line ${index}`)].map((one) => LOG(one)[0]);
  const model = withLogs({ ...base, names: '', selected: 'a', showsTime: false }, 'a', lines as never);
  const odd = { ...model, size: { columns: 41, rows: 12 }, scroll: { ...model.scroll, up: 1_000 } };
  for (const one of [{ ...model, scroll: odd.scroll }, odd]) expect(screenOf(one).match(/漢/g)?.length).toBe(60);
});

test('the details have the command, the last result of each probe and the latest runs', () => {
  const probe = {
    use: 'ready',
    kind: 'http',
    target: 'GET http://127.0.0.1:80/',
    interval_seconds: 1,
    timeout_seconds: 1,
  };
  const run = {
    run: 2,
    started: '2026-01-01T11:00:00Z',
    ended: null,
    ready_after_seconds: null,
    lasted_seconds: 4,
    exit: null,
  };
  const details = {
    name: 'a',
    command: ['/bin/sh', '-c', 'exec serve --port 80'],
    probes: [{ ...probe, last: { time: '', result: 'failed', text: 'status 503', seconds: 0.1 } }],
    runs: [{ ...run, result: 'failed', text: 'exited with code 3' }],
  };
  const screen = screenOf({ ...topModel([topService('a')]), pane: 'details', details: details as never });
  expect(screen).toContain(' command     exec serve --port 80');
  expect(screen).toMatch(/ready probe +failed: status 503 +http GET/);
  expect(screen).toMatch(/run 2 +failed +2026-01-01 11:00:00 +lasted 4.0 s +exited with code 3/);
});

test('nothing but styles is sent to the terminal, and without colour no colour', () => {
  const services = [failedService('\x1b]0;title\x07a', '\x1b[2J'), topService('b\x9b2J')];
  for (const colour of [true, false]) {
    const model = withLogs(topModel(services, { colour }), 'b\x9b2J', LOG('\x1b[?1049l\x07'));
    const text = viewOf(model).rows.join('');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what this looks for
    const codes = [...text.matchAll(/\x1b\[([\d;]*)m/g)].map(([, code = '']) => code);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the same
    expect(text.replaceAll(/\x1b\[[\d;]*m/g, '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    expect(codes.some((code) => /^(3|9|4)\d/.test(code))).toBe(colour);
  }
});

test('a terminal without Unicode gets ASCII only', () => {
  const model = topModel([topService('日本'), failedService('b', `ü ${'long '.repeat(30)}`)], { unicode: false });
  for (const pane of PANES) expect(screenOf({ ...model, pane })).toMatch(/^[\n -~]*$/);
  expect(screenOf({ ...model, isHelping: true })).toMatch(/^[\n -~]*$/);
  expect(screenOf(model)).toContain('????');
});

test('while no supervisor responds the screen says so, and shows the last state in grey', () => {
  const model = withAway(topModel([topService('a')], { colour: true }), NOON + 1_000);
  const frame = viewOf({ ...model, now: NOON + 4_000 });
  expect(plainRows(frame)[0]).toContain('no supervisor has responded for 3s');
  expect(frame.rows[2]).toStartWith('\x1b[90m');
  expect(screenOf(withStatus(model, statusOf([topService('a')]), NOON + 5_000))).toContain(
    'the supervisor responds again',
  );
});

test('a small terminal is told so', () => {
  const textAt = (columns: number) => screenOf(topModel([topService('a')], { columns, rows: 5 }));
  expect(textAt(60)).toContain('too small: needs 40 columns and 10 rows');
  expect(textAt(20)).toContain('needs 40×10');
});

test('sixty services scroll so that the selected one is on the screen', () => {
  const services = Array.from({ length: 60 }, (_, index) => topService(`s${index}`));
  const model = topModel(services);
  const far = viewOf({ ...model, selected: 's59' });
  expect(plainRows(far).some((row) => row.startsWith('▸ ● s59'))).toBe(true);
});

test('dependencies that are too deep to show are shown where the service occurs at a higher level', () => {
  const names = Array.from({ length: 14 }, (_, index) => `s${index}`);
  const edge = (on: string) => ({ on, condition: 'ready', origin: 'declared' as const });
  // s0 needs s1, which needs s2, and so on; s0 needs s12 too, which is the last level of the chain.
  const graph = names.map((name, index) => ({
    name,
    needs: [...names.slice(index + 1, index + 2), ...(index === 0 ? ['s12'] : [])].map(edge),
  }));
  const model = {
    ...topModel(
      names.map((name) => topService(name)),
      { rows: 60 },
    ),
    selected: 's0',
  };
  const screen = screenOf({ ...withGraph(model, graph), pane: 'dependencies', isZoomed: true });
  const shown = [...screen.matchAll(/(s\d+) +ready.*?(\.\.\.|\(above\)|)$/gm)].map(
    ([, name, more]) => `${name}${more}`,
  );
  expect(shown.slice(0, shown.indexOf('s13') + 1)).toEqual([...names.slice(1, 12), 's12...', 's12', 's13']);
});
