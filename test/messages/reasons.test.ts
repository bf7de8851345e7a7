// The sentence of `status` for a service that is not ready.
import { expect, test } from 'bun:test';
import { renderReason } from '../../src/messages/reasons.ts';

test('a stop says what was sent last, and what is still there', () => {
  const words = (stage: 'asked' | 'killed', hasExited: boolean) => renderReason({ kind: 'stopping', stage, hasExited });
  expect(words('asked', false)).toBe('asked to stop');
  expect(words('killed', false)).toBe('SIGKILL was sent; waiting for it to end');
  expect(words('killed', true)).toBe('waiting for its last processes');
});
