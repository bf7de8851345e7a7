// Signals that PID 1 receives: kept until there is a listener, passed to the engine, and reported once if they have no effect.
import { expect, test } from 'bun:test';
import { FIRST_OWN, type Own } from '../../src/up/checkpoint.ts';
import { passSignals, SignalRelay } from '../../src/up/signals.ts';
import { plan, service } from '../helpers/plans.ts';

function listen(signals: SignalRelay) {
  const sent: unknown[] = [];
  const warnings: string[] = [];
  const checkpoint = {
    own: FIRST_OWN as Own,
    note(change: Partial<Own>) {
      checkpoint.own = { ...checkpoint.own, ...change };
    },
  };
  const world = { plan: plan([service('a', { forward: { SIGUSR1: 'SIGUSR1' } })]) };
  passSignals(signals, {
    clock: { now: () => 7_000 } as never,
    engine: { world, send: (event: unknown) => void sent.push(event) } as never,
    checkpoint,
    announce: ({ text }) => void warnings.push(text),
  });
  return { sent, warnings, checkpoint };
}

test('signals that arrive before there is a listener are passed on, in order', () => {
  const signals = new SignalRelay();
  signals.take('SIGUSR1', false);
  signals.take('SIGTERM', false);
  const { sent, checkpoint } = listen(signals);
  expect(sent).toEqual([
    { type: 'signalled', signal: 'SIGUSR1' },
    { type: 'stop-asked', signal: 'SIGTERM' },
  ]);
  expect(checkpoint.own.stopAskedAt).toBe(7_000);
});

test('signals that arrive between two listeners are kept for the second one', () => {
  const signals = new SignalRelay();
  const first: string[] = [];
  signals.listen((signal) => void first.push(signal));
  signals.pause();
  signals.take('SIGTERM', false);
  expect(first).toEqual([]);
  expect(listen(signals).sent).toEqual([{ type: 'stop-asked', signal: 'SIGTERM' }]);
});

test('a signal without effect is reported once, with the settings that change that', () => {
  const signals = new SignalRelay();
  const { warnings } = listen(signals);
  for (const signal of ['SIGWINCH', 'SIGWINCH', 'SIGUSR1', 'SIGHUP', 'SIGTERM']) signals.take(signal, false);
  // The kernel sends SIGWINCH when a terminal changes its size.
  signals.take('SIGUSR2', true);
  expect(warnings).toEqual([expect.stringContaining('SIGWINCH received and ignored')]);
  expect(warnings[0]).toContain('add WINCH to `stop_signals`');
  expect(warnings[0]).toContain('`forward: [WINCH]`');
});
