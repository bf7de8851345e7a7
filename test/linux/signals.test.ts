// Compares the table of signals with that of the system.
import { expect, test } from 'bun:test';
import { constants } from 'node:os';
import { SIGNALS, signalName, signalNumber } from '../../src/linux/signals.ts';

test('signals have their names and numbers, real-time signals too', () => {
  expect(['SIGTERM', 'SIGKILL', 'SIGRTMIN', 'SIGRTMIN+3'].map(signalNumber)).toEqual([15, 9, 34, 37]);
  expect([15, 9, 6, 34, 40].map(signalName)).toEqual(['SIGTERM', 'SIGKILL', 'SIGABRT', 'SIGRTMIN+0', 'SIGRTMIN+6']);
});

test('the table equals that of the system', () => {
  for (const [name, number] of Object.entries(constants.signals))
    expect([name, signalNumber(name)]).toEqual([name, number]);
  const { SIGIOT: _, SIGPOLL: __, ...named } = constants.signals as Record<string, number>;
  for (const [name, number] of Object.entries(named)) expect([number, signalName(number)]).toEqual([number, name]);
  expect(SIGNALS.size).toBe(31);
});
