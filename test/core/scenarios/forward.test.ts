// Signals that are passed on: to the main process of those that name them in `forward`, and to no others. Virtual time.
import { describe, expect, test } from 'bun:test';
import { bySignal, on, plan, service } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const signalsTo = (sim: ReturnType<typeof simulate>, name: string) =>
  sim.deeds(name).filter((deed) => deed.includes('signal'));

describe('forward', () => {
  const forwarding = plan([
    service('nginx', { forward: { SIGHUP: 'SIGHUP', SIGUSR1: 'SIGQUIT' } }),
    service('other', { forward: { SIGUSR2: 'SIGUSR2' } }),
    service('plain'),
  ]);

  test('passes a signal on to the main process of those that name it, and to no others', () => {
    const sim = simulate(forwarding).until(100).signal('SIGHUP');
    expect(['nginx', 'other', 'plain'].map((name) => signalsTo(sim, name))).toEqual([
      ['100 signal SIGHUP main'],
      [],
      [],
    ]);
    expect(sim.states()).toEqual({ nginx: 'ready', other: 'ready', plain: 'ready' });
  });

  test('may send another signal instead', () => {
    expect(signalsTo(simulate(forwarding).until(100).signal('SIGUSR1'), 'nginx')).toEqual(['100 signal SIGQUIT main']);
  });

  test('does nothing with a signal that no service forwards', () => {
    const sim = simulate(forwarding).until(100);
    const before = sim.world;
    expect(sim.signal('SIGWINCH').world).toEqual(before);
    expect(sim.said('signal')).toEqual([]);
  });

  test('passes nothing on to a service whose main process is not there', () => {
    const services = [
      service('coming', { forward: { SIGHUP: 'SIGHUP' } }),
      service('gone', { forward: { SIGHUP: 'SIGHUP' }, essential: false }),
      service('waiting', { forward: { SIGHUP: 'SIGHUP' }, edges: [on('coming', 'completed')] }),
    ];
    const sim = simulate(plan(services), {
      coming: { spawnTakes: 500 },
      gone: { ends: { after: 50, exit: bySignal('SIGSEGV') }, others: [1_000] },
    });
    sim.until(100).signal('SIGHUP');
    expect(['coming', 'gone', 'waiting'].flatMap((name) => signalsTo(sim, name))).toEqual([]);
  });

  test('goes on during a shutdown', () => {
    const sim = simulate(forwarding, { nginx: { stopTakes: 500 } })
      .until(100)
      .stop()
      .until(200)
      .signal('SIGHUP');
    expect(signalsTo(sim, 'nginx')).toEqual(['100 signal SIGTERM main', '200 signal SIGHUP main']);
  });
});
