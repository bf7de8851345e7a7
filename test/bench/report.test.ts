// What the benches make of figures: medians, ratios, words in place of figures, the table, RESULTS.md and its picture.
import { expect, test } from 'bun:test';
import { renderPicture } from '../../bench/picture.ts';
import {
  behind,
  cells,
  digits,
  median,
  type Results,
  ratios,
  renderMarkdown,
  renderTerminal,
  saying,
  summarise,
  timesBehind,
} from '../../bench/report.ts';
import type { Row } from '../../bench/rows/trial.ts';

const START: Row = { id: 'first', title: 'exec to exec', unit: 'ms', better: 'less' };
const RATE: Row = { id: 'throughput', title: 'output', unit: 'MB/s', better: 'more' };
const CODE: Row = { id: 'code', title: 'code', unit: '', better: 'neither' };

const entrant = (name: string, gates: boolean, version: string | null = '1.0') => ({
  name,
  gates,
  version,
  remarks: name === 's6' ? { throughput: 'no labels' } : {},
});

const RESULTS: Results = {
  machine: 'two cores',
  minutes: 12.4,
  entrants: [
    entrant('svc-super', true),
    entrant('start.sh', false),
    entrant('s6', true),
    entrant('supervisord', false),
    entrant('gopherd', true, null),
  ],
  rows: [
    {
      row: START,
      readings: {
        'svc-super': [20, 30, 24],
        'start.sh': [2, 2, 3],
        s6: [5, 6, 7],
        supervisord: [1_000, 'not within 20 s', 1_200],
      },
    },
    { row: RATE, readings: { 'svc-super': [600, 500], 'start.sh': [400], s6: ['no output'], supervisord: [200] } },
    { row: CODE, readings: { 'svc-super': ['7', '7'], 'start.sh': ['7'], s6: ['7'], supervisord: ['0', '0', '7'] } },
  ],
};

const rowOf = (id: string) => {
  const figures = RESULTS.rows.find(({ row }) => row.id === id);
  if (figures === undefined) throw new Error(id);
  return cells(figures, RESULTS.entrants);
};

test('a median is the middle one, or the mean of the two in the middle, whatever the order', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([10, 1, 4, 2])).toBe(3);
  expect(median([])).toBeNaN();
});

test('a summary counts what gave no figure, and is null where nothing did', () => {
  expect(summarise([2, 'late', 1, 9])).toEqual({ median: 2, least: 1, most: 9, count: 3, failed: 1 });
  expect(summarise(['late'])).toBeNull();
  expect(saying(['a', 'b', 'b'])).toBe('b');
});

test('three digits that count', () => {
  expect([0, 0.0456, 2.078, 24.94, 99.96, 586.4, 999.6, 12_345, 1_234_567].map(digits)).toEqual([
    '0',
    '0.0456',
    '2.08',
    '24.9',
    '100',
    '586',
    '1,000',
    '12,300',
    '1,230,000',
  ]);
});

test('ratios say how many times worse than another, whichever way worse is', () => {
  expect(timesBehind(START, 24, 2)).toBe(12);
  expect(timesBehind(RATE, 550, 400)).toBeCloseTo(0.727, 3);
  expect(timesBehind(CODE, 1, 2)).toBeNull();
  // Nothing is a whole number of times nothing.
  expect(timesBehind(START, 5, 0)).toBeNull();
});

test('cells hold the median, the ratios to the best and to bash, and words in place of figures', () => {
  const start = rowOf('first');
  expect(start.get('svc-super')).toMatchObject({ value: '24.0 ms', times: { best: 12, bash: 12 }, isBest: false });
  expect(start.get('start.sh')).toMatchObject({ value: '2.00 ms', isBest: true });
  expect(start.get('supervisord')?.value).toBe('1,100 ms (2 of 3)');
  expect(start.get('gopherd')?.value).toBe('not installed');
  const rate = rowOf('throughput');
  expect(rate.get('svc-super')).toMatchObject({ value: '550 MB/s', isBest: true });
  expect(rate.get('s6')?.value).toBe('no output');
  const code = rowOf('code');
  expect(code.get('supervisord')?.value).toBe('0');
  expect([...code.values()].some(({ isBest }) => isBest)).toBe(false);
});

test('ratios are shown against the best and against bash', () => {
  const start = rowOf('first');
  const shown = (name: string) => {
    const cell = start.get(name);
    return cell === undefined ? '' : ratios(cell);
  };
  expect(shown('svc-super')).toBe('×12.0 ×12.0');
  expect(shown('start.sh')).toBe('best ×1.00');
  expect(shown('gopherd')).toBe('');
});

test('behind are the rows in which a rival with gates is better; bash and what is not installed do not count', () => {
  expect(behind(RESULTS)).toEqual([
    { row: START, value: '24.0 ms', rivals: [{ name: 's6', value: '6.00 ms', times: 4 }] },
  ]);
});

test('the table of the terminal keeps within the width, with svc-super in each part', () => {
  const wide = renderTerminal(RESULTS, 300);
  expect(wide.split('\n\n')).toHaveLength(1);
  for (const word of ['gopherd', 'not installed', '1,100 ms (2 of 3)', '×12.0 ×12.0']) expect(wide).toContain(word);
  const narrow = renderTerminal(RESULTS, 64);
  const parts = narrow.split('\n\n');
  expect(parts.length).toBeGreaterThan(1);
  for (const part of parts) expect(part).toContain('svc-super');
  for (const { name } of RESULTS.entrants) expect(narrow).toContain(name);
  expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBeLessThanOrEqual(64);
});

test('RESULTS.md gives figures, runs, remarks of who is there, and a reason for each row in which a rival is ahead', () => {
  const text = renderMarkdown(RESULTS, { first: 'A runtime starts twice.' });
  expect(text).toContain('| version | 1.0 | 1.0 | 1.0 | 1.0 | not installed | |');
  expect(text).toContain('| exec to exec | 24.0 ms<br>×12.0 ×12.0 | **2.00 ms**<br>best ×1.00 |');
  expect(text).toContain('| 7 | 7 | 7 | 0 | not installed | 3 |');
  expect(text).toContain('- output: s6: no labels.');
  expect(text).toContain('- **exec to exec**: 24.0 ms; s6 6.00 ms (×4.00). A runtime starts twice.');
  expect(text).toContain('| exec to exec | 24.0 | 20.0 | 30.0 |');
  expect(renderMarkdown(RESULTS, {})).toContain('Not explained yet.');
});

test('the picture has a dot for each figure that can be compared, further right the worse it is', () => {
  const picture = renderPicture(RESULTS);
  const titles = [...picture.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title ?? '');
  expect(titles.filter((title) => title.startsWith('svc-super: '))).toEqual([
    'svc-super: 24.0 ms (×12.0)',
    'svc-super: 550 MB/s (×1.00)',
  ]);
  expect(titles.some((title) => title.startsWith('gopherd'))).toBe(false);
  const [behindBest, best] = [...picture.matchAll(/<circle cx="([\d.]+)"[^>]* r="8"[^>]*><title>svc-super: /g)].map(
    ([, x]) => Number(x),
  );
  expect(behindBest).toBeGreaterThan(best ?? Number.NaN);
  // Well-formed: every element that is opened is closed.
  const open = [...picture.matchAll(/<(svg|text|title|circle|rect|path|line)\b[^>]*?(\/?)>/g)].filter(
    ([, , own]) => own === '',
  );
  const closed = [...picture.matchAll(/<\/(svg|text|title|circle|rect|path|line)>/g)];
  expect(open.length).toBe(closed.length);
});
