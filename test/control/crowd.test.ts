// Who is cut off when connections are too many, or descriptors too few.
import { expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import { Crowd } from '../../src/control/crowd.ts';

class Guest extends EventEmitter {
  readonly name: string;
  readonly #gone: string[];
  constructor(name: string, gone: string[]) {
    super();
    this.name = name;
    this.#gone = gone;
  }
  destroy(): void {
    this.#gone.push(this.name);
    this.emit('close');
  }
}

function enter(crowd: Crowd<Guest>, gone: string[], names: string): Map<string, Guest> {
  const guests = new Map([...names].map((name) => [name, new Guest(name, gone)]));
  for (const guest of guests.values()) crowd.admit(guest);
  return guests;
}

test('one too many: the one that has been silent longest goes', () => {
  const gone: string[] = [];
  enter(new Crowd<Guest>(3, () => false), gone, 'abcde');
  expect(gone).toEqual(['a', 'b']);
});

test('who is being answered stays, and is silent again when the answer is over', () => {
  const gone: string[] = [];
  const crowd = new Crowd<Guest>(2, () => false);
  const { a } = Object.fromEntries(enter(crowd, gone, 'ab'));
  const answer = new EventEmitter();
  if (a !== undefined) crowd.serve(a, answer);
  enter(crowd, gone, 'c');
  expect(gone).toEqual(['b']);
  answer.emit('close');
  enter(crowd, gone, 'd');
  expect(gone).toEqual(['b', 'c']);
  enter(crowd, gone, 'e');
  expect(gone).toEqual(['b', 'c', 'a']);
});

test('when all are being answered the one that asked first goes; with nobody else there the newcomer itself', () => {
  const gone: string[] = [];
  const crowd = new Crowd<Guest>(2, () => false);
  for (const guest of enter(crowd, gone, 'ab').values()) crowd.serve(guest, new EventEmitter());
  enter(crowd, gone, 'c');
  expect(gone).toEqual(['a']);
  enter(new Crowd<Guest>(0, () => false), gone, 'd');
  expect(gone).toEqual(['a', 'd']);
});

test('those who have gone by themselves count no more', () => {
  const gone: string[] = [];
  const crowd = new Crowd<Guest>(2, () => false);
  const guests = enter(crowd, gone, 'ab');
  guests.get('a')?.emit('close');
  enter(crowd, gone, 'c');
  expect(gone).toEqual([]);
});

test('when descriptors are short a few are let in, and everybody beyond costs somebody silent', () => {
  const gone: string[] = [];
  let isShort = false;
  const crowd = new Crowd<Guest>(100, () => isShort);
  enter(crowd, gone, 'ab');
  isShort = true;
  enter(crowd, gone, 'cd');
  expect(gone).toEqual([]);
  enter(crowd, gone, 'ef');
  expect(gone).toEqual(['a', 'b']);
});
