// The use of processors by service, when states arrive often and when they do not.
import { expect, test } from 'bun:test';
import { NO_SHARES, takeShares } from '../../src/dashboard/cpu-shares.ts';

/** A state in which each service has used that many seconds. */
const state = (seconds: Readonly<Record<string, number>>, run = 1) =>
  Object.entries(seconds).map(([name, cpu_seconds]) => ({
    name,
    run,
    usage: { cpu_seconds, memory_bytes: 0, processes: 1 },
  }));

test('two states give the share of each service', () => {
  const first = takeShares(NO_SHARES, state({ a: 1, b: 5 }), 10_000);
  expect([...first.shares]).toEqual([]);
  expect([...takeShares(first, state({ a: 2, b: 9 }), 12_000).shares]).toEqual([
    ['a', 50],
    ['b', 200],
  ]);
});

test('states that arrive every 300 ms give a new share after a second, to a new service too', () => {
  let known = takeShares(NO_SHARES, state({ a: 0 }), 0);
  for (let now = 300; now <= 1_200; now += 300) known = takeShares(known, state({ a: now / 2_000, b: 0 }), now);
  expect([...known.shares]).toEqual([['a', 50]]);
  for (let now = 1_500; now <= 2_400; now += 300) known = takeShares(known, state({ a: 0.6, b: now / 1_000 }), now);
  expect([...known.shares]).toEqual([
    ['a', 0],
    ['b', 200],
  ]);
});

test('another run begins without a share', () => {
  const first = takeShares(NO_SHARES, state({ a: 9 }), 0);
  expect([...takeShares(first, state({ a: 1 }, 2), 2_000).shares]).toEqual([]);
});

test('a second state of the same millisecond keeps the shares', () => {
  const first = takeShares(NO_SHARES, state({ a: 1 }), 10_000);
  const second = takeShares(first, state({ a: 2 }), 12_000);
  expect([...takeShares(second, state({ a: 2 }), 12_000).shares]).toEqual([['a', 50]]);
});
