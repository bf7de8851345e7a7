// Which connection is closed when there are too many, or too few descriptors.
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

test('above the limit the connection that has been idle longest is closed', () => {
  const gone: string[] = [];
  enter(new ConnectionLimiter<Client>(3, () => false), gone, 'abcde');
  expect(gone).toEqual(['a', 'b']);
});

test('a served connection stays open, and is idle again after its response', () => {
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

test('if all are served the one with the oldest request is closed; without others the new one', () => {
  const gone: string[] = [];
  const limiter = new ConnectionLimiter<Client>(2, () => false);
  for (const connection of enter(limiter, gone, 'ab').values()) limiter.serve(connection, new EventEmitter());
  enter(limiter, gone, 'c');
  expect(gone).toEqual(['a']);
  enter(new ConnectionLimiter<Client>(0, () => false), gone, 'd');
  expect(gone).toEqual(['a', 'd']);
});

test('closed connections do not count', () => {
  const gone: string[] = [];
  const limiter = new ConnectionLimiter<Client>(2, () => false);
  const clients = enter(limiter, gone, 'ab');
  clients.get('a')?.emit('close');
  enter(limiter, gone, 'c');
  expect(gone).toEqual([]);
});

test('with few descriptors some are accepted, and each further one closes an idle one', () => {
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
