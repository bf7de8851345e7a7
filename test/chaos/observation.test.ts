// The parsers of a round's two texts: the journal that programs write, and the supervisor's standard error.
import { expect, test } from 'bun:test';
import { parseJournal, parseTold } from '../../chaos/observation.ts';

const T = 1_000_000;

test('only the journal and the supervisor’s own lines are parsed', () => {
  expect(parseJournal('12.500000\tdb\t3\t17\tcode\t42\ntorn')).toEqual([
    { at: 12_500, service: 'db', run: 3, pid: 17, what: 'code', value: '42', beside: false },
  ]);
  const own = {
    time: new Date(T).toISOString(),
    service: 'svc-super',
    stream: 'stderr',
    event: 'started',
    about: 'db',
    msg: 'started (pid 7)',
  };
  const { reported: found, strange } = parseTold([
    JSON.stringify(own),
    JSON.stringify({ ...own, service: 'db', msg: 'looks like "service":"svc-super"' }),
    'panic(main thread): Segmentation fault',
    'db | a line of its own',
  ]);
  expect(found).toEqual([{ at: T, service: 'db', event: 'started', text: 'started (pid 7)' }]);
  expect(strange).toEqual(['panic(main thread): Segmentation fault']);
});
