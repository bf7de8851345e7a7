// Filters of lines, lines that report errors, and lines as a file.
import { expect, test } from 'bun:test';
import { isErrorLine, makeFilter, type PageLine, toFile } from '../../src/dashboard/lines.ts';

const line = (text: string, stream: PageLine['stream'] = 'stdout'): PageLine => ({
  time: '2026-01-02T03:04:05.678Z',
  service: 'a',
  stream,
  text,
});

test('a line is marked because of its words, not because it went to standard error', () => {
  for (const text of [
    'ERROR: no space',
    '2026 [FATAL] gone',
    'Traceback (most recent call last):',
    'ValueError: x',
    '{"level":"error"}',
  ])
    expect([text, isErrorLine(line(text))]).toEqual([text, true]);
  for (const text of ['INFO: started', '0 errors', 'no error', 'Uvicorn running'])
    expect([text, isErrorLine(line(text, 'stderr'))]).toEqual([text, false]);
});

test('a filter is a text, or a pattern between slashes; an unfinished pattern hides nothing', () => {
  expect(['An Error', 'fine'].map(makeFilter('error'))).toEqual([true, false]);
  expect(['arr', 'ves', 'ARRIVES'].map(makeFilter('/arr.ves/'))).toEqual([false, false, true]);
  expect(['a', 'b'].map(makeFilter('/(/'))).toEqual([true, true]);
  expect(['a', 'b'].map(makeFilter(''))).toEqual([true, true]);
});

test('a file has time, service, stream and text', () => {
  expect(toFile([line('x', 'stderr'), line('y')])).toBe(
    '2026-01-02T03:04:05.678Z a stderr x\n2026-01-02T03:04:05.678Z a stdout y\n',
  );
});
