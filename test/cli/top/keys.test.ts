// Keys and mouse events from the bytes of a terminal.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { flushInput, parseInput, type UserInput } from '../../../src/cli/top/keys.ts';

const inputs = (text: string): readonly UserInput[] => parseInput('', text).inputs;
const key = (name: string): UserInput => ({ kind: 'key', key: name });

test('characters, control characters and the keys of xterm and of the application mode have names', () => {
  expect(inputs('q')).toEqual([key('q')]);
  expect(inputs('ü漢')).toEqual([key('ü'), key('漢')]);
  expect(inputs('\r\t\x7f\x03\x1a')).toEqual(['enter', 'tab', 'backspace', 'ctrl-c', 'ctrl-z'].map(key));
  expect(inputs('\x1b[A\x1bOB\x1b[1;5C\x1b[Z')).toEqual(['up', 'down', 'right', 'shift-tab'].map(key));
  expect(inputs('\x1b[5~\x1b[6~\x1b[H\x1b[4~')).toEqual(['page-up', 'page-down', 'home', 'end'].map(key));
});

test('a click and the wheel have a place; releases and movements are nothing', () => {
  expect(inputs('\x1b[<0;12;3M\x1b[<0;12;3m')).toEqual([{ kind: 'mouse', action: 'press', x: 11, y: 2 }]);
  expect(inputs('\x1b[<65;1;1M\x1b[<64;1;1M\x1b[<35;5;5M')).toEqual([
    { kind: 'mouse', action: 'wheel-down', x: 0, y: 0 },
    { kind: 'mouse', action: 'wheel-up', x: 0, y: 0 },
  ]);
  expect(inputs('\x1b[M !!')).toEqual([{ kind: 'mouse', action: 'press', x: 0, y: 0 }]);
});

test('a sequence that a slow link cuts at any place is still that key, and never a command', () => {
  const whole = '\x1b[A\x1b[<0;120;33Mx\x1bOB\x1b[15~';
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length), { maxLength: 6 }), (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
      let pending = '';
      const found: UserInput[] = [];
      for (let index = 1; index < places.length; index += 1) {
        const parsed = parseInput(pending, whole.slice(places[index - 1], places[index]));
        found.push(...parsed.inputs);
        ({ pending } = parsed);
      }
      expect(found).toEqual([...inputs(whole)]);
      expect(pending).toBe('');
    }),
  );
});

test('an Escape character alone waits, and is the Escape key if nothing follows', () => {
  const { inputs: none, pending } = parseInput('', '\x1b');
  expect([none, pending]).toEqual([[], '\x1b']);
  expect(flushInput(pending)).toEqual([key('escape')]);
});

test('sequences that mean nothing here are left out', () => {
  expect(inputs('\x1b[?62;c\x1b[200~\x1b[Iq')).toEqual([key('q')]);
});

test('a sequence that another one cuts off is left out, and the other one is read', () => {
  expect(inputs('\x1b[\x1b[A\x1b[1;\x1b[B\x1bO\x1b[C\x1b[\rq')).toEqual(['up', 'down', 'right', 'enter', 'q'].map(key));
});

test('Escape and a key right after it are both keys', () => {
  expect(inputs('\x1bx\x1b\x1b[A')).toEqual(['escape', 'x', 'escape', 'up'].map(key));
});
