// The clients of a round: questions to the control socket, a follower of events that comes back when it is cut off, and
// the kinds of clients that nobody wants. Speaks through node:net; trusts no answer.
import { type ClientRequest, request } from 'node:http';
import { connect } from 'node:net';
import { Dice, nonsense } from '../test/helpers/nonsense.ts';
import { exchange } from '../test/helpers/wire.ts';
import type { ServedEvent } from './observation.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One question; null when no whole answer came within `patience`, milliseconds. */
export async function ask(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  body: object | null,
  patience: number,
): Promise<Answer | null> {
  const text = body === null ? '' : JSON.stringify(body);
  const head = `${method} ${path} HTTP/1.1\r\nHost: svc-super\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`;
  const { text: answer, closed } = await exchange(socket, [head + text], { patience });
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  if (!closed || status === undefined) return null;
  const end = answer.indexOf('\r\n\r\n') + 4;
  const length = /^content-length: (\d+)/im.exec(answer.slice(0, end))?.[1];
  // A supervisor that is killed may have written a part of its answer.
  if (end < 4 || (length !== undefined && Buffer.byteLength(answer.slice(end)) < Number(length))) return null;
  return { status: Number(status), body: answer.slice(end) };
}

/** Follows the events from the first on, over as many connections as it takes, until `stop`. */
export class EventFollower {
  readonly events: ServedEvent[] = [];
  readonly #path: string;
  #request: ClientRequest | null = null;
  #stopped = false;

  constructor(path: string) {
    this.#path = path;
    this.#connect();
  }

  #connect(): void {
    if (this.#stopped) return;
    let rest = '';
    const options = { socketPath: this.#path, path: '/v1/events?follow=1&lines=1000', agent: false };
    const asked = request(options, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#take(line);
      });
      response.on('error', () => undefined);
    });
    this.#request = asked;
    asked.on('error', () => undefined);
    asked.on('close', () => setTimeout(() => this.#connect(), 100));
    asked.end();
  }

  #take(line: string): void {
    if (!line.startsWith('{"seq":')) return;
    const { seq, time, service, event, text } = JSON.parse(line);
    if (seq <= (this.events.at(-1)?.seq ?? 0)) return;
    this.events.push({ seq, at: Date.parse(time), service, event, text });
  }

  stop(): void {
    this.#stopped = true;
    this.#request?.destroy();
  }
}

/** Requests that nobody should send, one after the other. */
export async function makeNoise(socket: string, seed: number, count: number): Promise<void> {
  const dice = new Dice(seed);
  for (let number = 0; number < count; number += 1) await exchange(socket, [nonsense(dice, null)], { patience: 100 });
}

/** Connections that are opened and say nothing; gives what lets them go. */
export function holdConnections(socket: string, count: number): () => void {
  const held = Array.from({ length: count }, () => connect(socket));
  for (const one of held) one.on('error', () => undefined);
  return () => {
    for (const one of held) one.destroy();
  };
}

/** A request that comes byte by byte, and its answer that nobody reads. */
export function slowClient(socket: string): () => void {
  const text = 'GET /v1/logs?follow=1 HTTP/1.1\r\nHost: svc-super\r\n\r\n';
  const one = connect(socket);
  one.on('error', () => undefined);
  one.pause();
  let at = 0;
  const timer = setInterval(() => {
    if (at < text.length && !one.destroyed) one.write(text[at] ?? '');
    at += 1;
  }, 20);
  return () => {
    clearInterval(timer);
    one.destroy();
  };
}

/** Followers of all output, who read it or do not. */
export function followers(socket: string, count: number, reads: boolean): () => void {
  const all = Array.from({ length: count }, (_, number) => {
    const one = connect(socket);
    one.on('error', () => undefined);
    if (reads) one.on('data', () => undefined);
    else one.pause();
    const path = number % 2 === 0 ? '/v1/logs?follow=1' : '/v1/events?follow=1';
    one.write(`GET ${path} HTTP/1.1\r\nHost: svc-super\r\n\r\n`);
    return one;
  });
  return () => {
    for (const one of all) one.destroy();
  };
}

/** A command by way of a service, whose client goes after `ms`. */
export async function execute(socket: string, service: string, argv: readonly string[], ms: number): Promise<void> {
  const body = JSON.stringify({ argv });
  const head = `POST /v1/services/${encodeURIComponent(service)}/exec HTTP/1.1\r\nHost: svc-super\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  await exchange(socket, [head + body], { patience: ms });
}
