// Loops of a start script that wait: what they ask, for how long, and which of them do other work.
import { describe, expect, test } from 'bun:test';
import { makeSource } from '../../../src/config/tree.ts';
import { ShellScript } from '../../../src/convert/import/shell-script.ts';
import { waitLoopOf } from '../../../src/convert/import/shell-waits.ts';

function loopOf(text: string) {
  const script = new ShellScript(makeSource('start.sh', text));
  const [only] = script.tree.commands;
  return only === undefined ? null : waitLoopOf(only.command, script);
}

const ASKS = 'curl -sf localhost:80/';

describe('a loop that does other work is no wait', () => {
  test.each([
    `for i in 1 2 3; do if ${ASKS}; then break; else start_something; fi; done`,
    `for i in 1 2 3; do if ${ASKS}; then break; elif x; then sleep 1; fi; done`,
    `for i in 1 2 3; do ${ASKS} && break || do_work; done`,
    `until ${ASKS}; do if do_work; then sleep 1; fi; done`,
    `while ! ${ASKS} && ! other; do sleep 1; done`,
    `while ! ${ASKS}; other; do sleep 1; done`,
  ])('%s', (text) => {
    expect(loopOf(text)).toBeNull();
  });
});

test.each([
  'n=$((n+1)); if [ $n -gt 9 ]; then echo no; exit 1; fi; sleep 1',
  'if ! [[ -f /x ]]; then echo waiting; elif (( n > 3 )); then exit 1; fi',
])('a loop whose body is %s only waits', (body) => {
  expect(loopOf(`until ${ASKS}; do ${body}; done`)).not.toBeNull();
});

describe('a loop gives up after', () => {
  const repeat = (list: string) => `for i in ${list}; do ${ASKS} && break; sleep 2; done`;
  test.each([
    ['1 2 3', 6],
    ['$(seq 30)', 60],
    ['$(seq 1 30)', 60],
    ['$(seq 0 30)', 62],
    ['$(seq 1 2 30)', 30],
    ['`seq 1 30`', 60],
    ['{1..30}', 60],
    ['{0..30}', 62],
    ['$(seq 1 $MAX)', null],
    ['$TRIES', null],
    ['{1..30..2}', null],
    ['"$@"', null],
  ])('as many attempts as %s has', (list, seconds) => {
    expect(loopOf(repeat(list))?.seconds).toBe(seconds);
  });

  test.each([
    ['wait-for-it localhost:80', 15],
    ['wait-for-it localhost:80 -t 40', 40],
    ['wait-for-it --timeout=40 localhost:80', 40],
    ['wait-for-it --timeout=0 localhost:80', null],
    ['wait-for-it localhost:80 -t $T', null],
    [`for i in 1 2 3; do ${ASKS} && break || echo no; done`, 3],
    [`for i in 1 2 3; do ${ASKS} && break || sleep 5; done`, 15],
    [`for i in 1 2 3; do if ${ASKS}; then break; else echo no; sleep 5; fi; done`, 15],
    [`for i in 1 2 3; do if ${ASKS}; then break; else echo no; fi; done`, 3],
  ])('%s', (text, seconds) => {
    expect(loopOf(text)).toMatchObject({ seconds });
  });
});
