// Malformed requests: random bytes, mutations of valid requests, oversized and contradictory heads, bodies of another length
// than declared. The seed determines each of them.

/** Numbers from a seed (mulberry32). */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** From 0 up to, not including, `below`. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }
  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'get',
  'PRI',
  'G\0T',
  '',
  'POSTPOST',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.11', 'HTCPCP/1.0', ''];
const ENDS = ['\r\n', '\n', '\r', '\r\n\r\n', '\0', ' \r\n'];
const NAMES = [
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Authorization',
  'Origin',
  'Expect',
  'Upgrade',
  'Cookie',
  'Sec-Fetch-Site',
  'X-Forwarded-For',
  'Content-Type',
  'Trailer',
  'TE',
  'Range',
  'X\0Y',
  'Hóst',
  ' Host',
  'Host ',
  ':path',
  '',
];
const VALUES = [
  '',
  'localhost',
  'evil.example',
  '0',
  '5',
  '-1',
  '99999999999999999999',
  '0x10',
  '1, 2',
  'chunked',
  'chunked, identity',
  'close',
  'keep-alive',
  'upgrade',
  'websocket',
  '100-continue',
  'Bearer',
  'Bearer wrong',
  'Basic Og==',
  'null',
  'http://evil.example',
  'cross-site',
  'application/json',
  '\x7f\x01',
  'ä',
  '\t',
  `${'x'.repeat(9_000)}`,
];
const PARTS = [
  'v1',
  'status',
  'health',
  'services',
  'nobody',
  'stop',
  'start',
  'restart',
  'signal',
  'exec',
  'reload',
  'logs',
  'events',
  'group',
  'operation',
  'ops',
  'wait',
  'timeline',
  'graph',
  'metrics',
  'healthz',
  'openapi.json',
  '..',
  '.',
  '',
  '%2e%2e',
  '%00',
  '%',
  '%zz',
  '%c0%af',
  '{name}',
  '__proto__',
  'constructor',
  '*',
  'a'.repeat(300),
  '💥',
  'ä',
  "'",
  '"',
  '<b>',
  '\\',
];
const QUERIES = [
  '',
  '',
  '',
  '?',
  '?follow=1',
  '?lines=-1',
  '?lines=1e99',
  '?lines=3',
  '?service=nobody',
  '?service[]=x',
  '?a=%',
  '?since=x',
  '?for=ever',
  '?timeout=1',
  '?#',
  '? x',
  `?${'q=1&'.repeat(500)}`,
];
const BODIES = [
  '',
  '{}',
  '[]',
  'null',
  '1',
  '"x"',
  '{',
  '{"services":["nobody"]}',
  '{"services":"nobody"}',
  '{"services":[1]}',
  '{"services":[]}',
  '{"group":"nobody"}',
  '{"group":1}',
  '{"all":"yes"}',
  '{"all":1}',
  '{"signal":"KILL"}',
  '{"argv":[]}',
  '{"argv":["\\u0000"]}',
  '{"dry_run":"no"}',
  '{"__proto__":{"all":true}}',
  '{"services":["__proto__"]}',
  '\ufeff{}',
  '{"a":1e999}',
  '['.repeat(5_000),
  '\xff\xfe',
  `"${'x'.repeat(70_000)}"`,
];

/** `token`: included in some requests; null: in none. */
export function nonsense(dice: Dice, token: string | null): Uint8Array {
  const kind = dice.below(100);
  if (kind < 12) return randomBytes(dice, 1 + dice.below(400));
  const whole = composed(dice, token);
  if (kind < 50) return mutated(dice, whole);
  // A second request directly after it, whole or torn.
  return kind < 60 ? Buffer.concat([whole, mutated(dice, composed(dice, token))]) : whole;
}

function randomBytes(dice: Dice, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => dice.below(256));
}

function composed(dice: Dice, token: string | null): Buffer {
  const proper = dice.chance(60);
  const method = proper ? dice.one(['GET', 'POST', 'HEAD']) : dice.one(METHODS);
  const path = `/${Array.from({ length: dice.below(6) }, () => dice.one(PARTS)).join('/')}`;
  const target =
    proper || dice.chance(80) ? path : dice.one(['*', '', 'http://evil.example/', '//evil', '/\0', path.slice(1)]);
  const end = proper ? '\r\n' : dice.one(ENDS);
  const body = method === 'POST' || dice.chance(10) ? dice.one(BODIES) : '';
  const length = Buffer.byteLength(body);
  const headers: string[] = [];
  if (proper || dice.chance(70)) headers.push('Host: localhost');
  if (token !== null && dice.chance(85)) headers.push(`Authorization: Bearer ${token}`);
  if (body !== '' || dice.chance(10)) headers.push(`Content-Length: ${proper ? length : length + dice.below(5) - 2}`);
  const more = proper ? 0 : dice.below(6);
  for (let count = 0; count < more; count += 1) headers.push(`${dice.one(NAMES)}: ${dice.one(VALUES)}`);
  if (dice.chance(2)) headers.push(`X-Large: ${'x'.repeat(20_000)}`);
  if (dice.chance(2)) headers.push(...Array.from({ length: 300 }, (_, index) => `X-${index}: ${index}`));
  const version = proper ? 'HTTP/1.1' : dice.one(VERSIONS);
  const head = `${method} ${target}${dice.one(QUERIES)} ${version}${end}${headers.join(end)}${end}${end}`;
  return Buffer.from(head + body, dice.chance(50) ? 'utf8' : 'latin1');
}

/** Changes, removes or doubles some bytes, or removes the end. */
function mutated(dice: Dice, from: Buffer): Buffer {
  let bytes = Buffer.from(from);
  for (let count = 1 + dice.below(4); count > 0 && bytes.length > 0; count -= 1) {
    const at = dice.below(bytes.length);
    const upTo = Math.min(bytes.length, at + 1 + dice.below(20));
    const how = dice.below(5);
    if (how === 0) bytes[at] = dice.below(256);
    else if (how === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(upTo)]);
    else if (how === 2) bytes = Buffer.concat([bytes.subarray(0, upTo), bytes.subarray(at)]);
    else if (how === 3) bytes = bytes.subarray(0, at);
    else bytes = Buffer.concat([bytes.subarray(0, at), randomBytes(dice, 1 + dice.below(8)), bytes.subarray(at)]);
  }
  return bytes;
}
