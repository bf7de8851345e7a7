// What keys and clicks do: an operation only after a confirmation that names what else happens, search, filter, scrolling.
import { expect, test } from 'bun:test';
import { type Next, withInput } from '../../../src/cli/top/input.ts';
import type { Model } from '../../../src/cli/top/model.ts';
import { withGraph, withLogs } from '../../../src/cli/top/update.ts';
import { viewOf } from '../../../src/cli/top/view.ts';
import { NOON, plainRows, screenOf, topModel, topService } from '../../helpers/top.ts';

function press(model: Model, ...keys: readonly string[]): Next {
  let next: Next = { model, effect: null };
  for (const key of keys) next = withInput(next.model, viewOf(next.model), { kind: 'key', key });
  return next;
}

function clickOn(model: Model, text: string): Next {
  const frame = viewOf(model);
  const all = plainRows({ ...frame, box: null });
  const box = plainRows({ ...frame, rows: [] });
  const inBox = box.findIndex((row) => row.includes(text));
  const y = inBox >= 0 ? inBox + (frame.box?.y ?? 0) : all.findIndex((row) => row.includes(text));
  const x = inBox >= 0 ? (box[inBox]?.indexOf(text) ?? 0) + (frame.box?.x ?? 0) : (all[y]?.indexOf(text) ?? 0);
  return withInput(model, frame, { kind: 'mouse', action: 'press', x, y });
}

const need = { on: 'db', condition: 'ready', origin: 'declared' as const };
const SHOP = withGraph(topModel([topService('db'), topService('api'), topService('web')]), [
  { name: 'db', needs: [] },
  { name: 'api', needs: [need] },
  { name: 'web', needs: [{ ...need, restarts: true }] },
]);

test('a restart is confirmed, and the box names what restarts too and what continues to run', () => {
  const asked = press(SHOP, 'r').model;
  expect(screenOf(asked)).toContain('web restarts together with it (`restart: true`).');
  expect(screenOf(asked)).toContain('api needs it and keeps running: requests may fail until the');
  expect(press(asked, 'enter').effect).toEqual({ type: 'operate', operation: 'restart', service: 'db' });
  expect(press(asked, 'escape')).toMatchObject({ effect: null, model: { dialog: null } });
  expect(clickOn(asked, 'Enter: restart').effect).toMatchObject({ operation: 'restart' });
  expect(clickOn(asked, 'Esc: cancel').model.dialog).toBeNull();
});

test('before the dependencies are known nothing is done', () => {
  const asked = press({ ...SHOP, graph: null }, 'x').model;
  expect(screenOf(asked)).toContain('requesting the dependencies');
  expect(press(asked, 'enter')).toMatchObject({ effect: null, model: { dialog: { operation: 'stop' } } });
});

test('nothing can be requested while no supervisor responds', () => {
  const next = press({ ...SHOP, awaySince: NOON }, 's');
  expect(next.model.dialog).toBeNull();
  expect(next.model.message?.text).toContain('nothing can be requested');
});

test('behind the confirmation nothing can be clicked', () => {
  expect(clickOn(press(SHOP, 'x').model, 'web ').model.selected).toBe('db');
});

test('a click selects a service, opens a pane, sorts by a column, or is the key of the footer', () => {
  expect(clickOn(SHOP, 'web').model.selected).toBe('web');
  expect(clickOn(SHOP, 'dependencies').model.pane).toBe('dependencies');
  const memory = plainRows(viewOf(SHOP))[1]?.indexOf('MEM') ?? 0;
  const sorted = withInput(SHOP, viewOf(SHOP), { kind: 'mouse', action: 'press', x: memory, y: 1 });
  expect(sorted.model.sort).toBe('memory');
  expect(clickOn(SHOP, 'x stop').model.dialog).toMatchObject({ operation: 'stop' });
});

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({
    time: new Date(NOON + (from + index) * 1_000).toISOString(),
    service: 'db',
    stream: 'stdout' as const,
    text: `line ${from + index}${(from + index) % 10 === 0 ? ' ERROR' : ''}`,
  }));
const LOGGED = withLogs(SHOP, 'db', lines(0, 100));

test('the arrow keys move the log sideways to the end of its longest line, and only while it is shown', () => {
  const { columns } = LOGGED.size;
  const long = { time: new Date(NOON + 200_000).toISOString(), service: 'db', stream: 'stdout' as const };
  const model = withLogs(LOGGED, 'db', [...lines(99, 100), { ...long, text: `${'x'.repeat(columns + 19)}!` }]);
  expect(press(model, 'right').model.scroll.right).toBe(16);
  const end = press(model, 'right', 'right', 'right').model;
  expect(end.scroll.right).toBe(20 + (model.showsTime ? 9 : 0));
  expect(screenOf(end)).toContain('x!');
  expect(press(end, 'left', 'left', 'left').model.scroll.right).toBe(0);
  expect(press(LOGGED, 'right').model.scroll.right).toBe(0);
  expect(press({ ...model, pane: 'dependencies' }, 'right').model.scroll.right).toBe(0);
});

test('a reader who has scrolled up keeps the lines, and End follows again', () => {
  const up = press(LOGGED, 'tab', 'page-up').model;
  const shown = (model: Model) => screenOf(model).split('\n').slice(6, 22);
  const later = withLogs(up, 'db', lines(99, 130));
  expect(shown(later)).toEqual(shown(up));
  expect(screenOf(later)).toMatch(/\d+ below/);
  expect(screenOf(press(later, 'end').model)).toContain('line 129');
});

test('a filter leaves the lines that have the text while it is typed; Escape takes it back', () => {
  const typed = press(LOGGED, 'f', ...'error').model;
  expect(screenOf(typed)).toContain('line 90 ERROR');
  expect(screenOf(typed)).not.toContain('line 91');
  expect(screenOf(press(typed, 'escape').model)).toContain('line 99');
  expect(press(typed, 'enter').model).toMatchObject({ filter: 'error', prompt: null });
});

test('a search shows the latest line first, then older ones, and says when there is none', () => {
  const found = press(LOGGED, 'tab', '/', ...'ERROR', 'enter').model;
  expect(found.foundAt).toBe(90);
  const older = press(found, 'n', 'n').model;
  expect(older.foundAt).toBe(70);
  expect(screenOf(older)).toContain('line 70 ERROR');
  expect(press(older, 'N').model.foundAt).toBe(80);
  expect(press(found, 'N').model.message?.text).toBe('no newer line has "ERROR"');
});

test('services are found by name, and the wheel scrolls what is below it', () => {
  const found = press(SHOP, '/', 'w', 'e', 'enter').model;
  expect([found.selected, screenOf(found).includes(' api ')]).toEqual(['web', false]);
  const wheel = (model: Model, y: number) =>
    withInput(model, viewOf(model), { kind: 'mouse', action: 'wheel-up', x: 5, y }).model;
  expect(wheel(LOGGED, 15).scroll.up).toBe(3);
  expect(wheel(press(LOGGED, 'down', 'down').model, 3).selected).toBe('api');
});

test('q and Ctrl-C quit, also from a prompt; Ctrl-Z suspends', () => {
  expect(press(SHOP, 'q').effect).toEqual({ type: 'quit' });
  expect(press(SHOP, 'f', 'q').effect).toBeNull();
  expect(press(SHOP, 'f', 'ctrl-c').effect).toEqual({ type: 'quit' });
  expect(press(SHOP, 'ctrl-z').effect).toEqual({ type: 'suspend' });
});
