// The lines of `log.level: debug` for events and effects of one step.
import { expect, test } from 'bun:test';
import { renderVerbose } from '../../src/messages/verbose.ts';

test('an attempt of a probe and the signals that follow are lines of their service', () => {
  const event = { type: 'probe-ended', attempt: 3, ok: false, detail: 'connection refused' } as const;
  const effect = { type: 'signal', signal: 'SIGTERM', to: 'group', continues: false } as const;
  const lines = renderVerbose({ type: 'service', service: 'a', run: 1, event }, [
    { type: 'service', service: 'b', run: 2, effect },
    { type: 'service', service: 'b', run: 2, effect: { type: 'abandon-probe' } },
  ]);
  expect(lines.map(({ service, text }) => `${service} ${text}`)).toEqual([
    'a probe attempt 3 failed: connection refused',
    'b is sent SIGTERM, with its process group',
  ]);
});

test('events that concern no service, and output, have no line', () => {
  expect(renderVerbose({ type: 'began' }, [])).toEqual([]);
  expect(renderVerbose({ type: 'service', service: 'a', run: 1, event: { type: 'progressed' } }, [])).toEqual([]);
});
