// Who is cut off when connections are too many, or descriptors too few.
import { expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import { ConnectionLimiter } from '../../src/control/connection-limiter.ts';

class Client extends EventEmitter {
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

function enter(limiter: ConnectionLimiter<Client>, gone: string[], names: string): Map<string, Client> {
  const clients = new Map([...names].map((name) => [name, new Client(name, gone)]));
  for (const connection of clients.values()) limiter.admit(connection);
  return clients;
}

test('one too many: the one that has been silent longest goes', () => {
  const gone: string[] = [];
  enter(new ConnectionLimiter<Client>(3, () => false), gone, 'abcde');
  expect(gone).toEqual(['a', 'b']);
});

test('who is being answered stays, and is silent again when the answer is over', () => {
  const gone: string[] = [];
  const limiter = new ConnectionLimiter<Client>(2, () => false);
  const { a } = Object.fromEntries(enter(limiter, gone, 'ab'));
  const answer = new EventEmitter();
  if (a !== undefined) limiter.serve(a, answer);
  enter(limiter, gone, 'c');
  expect(gone).toEqual(['b']);
  answer.emit('close');
  enter(limiter, gone, 'd');
  expect(gone).toEqual(['b', 'c']);
  enter(limiter, gone, 'e');
  expect(gone).toEqual(['b', 'c', 'a']);
});

test('when all are being answered the one that asked first goes; with nobody else there the newcomer itself', () => {
  const gone: string[] = [];
  const limiter = new ConnectionLimiter<Client>(2, () => false);
  for (const connection of enter(limiter, gone, 'ab').values()) limiter.serve(connection, new EventEmitter());
  enter(limiter, gone, 'c');
  expect(gone).toEqual(['a']);
  enter(new ConnectionLimiter<Client>(0, () => false), gone, 'd');
  expect(gone).toEqual(['a', 'd']);
});

test('those who have gone by themselves count no more', () => {
  const gone: string[] = [];
  const limiter = new ConnectionLimiter<Client>(2, () => false);
  const clients = enter(limiter, gone, 'ab');
  clients.get('a')?.emit('close');
  enter(limiter, gone, 'c');
  expect(gone).toEqual([]);
});

test('when descriptors are short a few are let in, and everybody beyond costs somebody silent', () => {
  const gone: string[] = [];
  let isShort = false;
  const limiter = new ConnectionLimiter<Client>(100, () => isShort);
  enter(limiter, gone, 'ab');
  isShort = true;
  enter(limiter, gone, 'cd');
  expect(gone).toEqual([]);
  enter(limiter, gone, 'ef');
  expect(gone).toEqual(['a', 'b']);
});
