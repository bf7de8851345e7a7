// The fields of `restart`: whether a run that has ended is followed by another one, and after which delay. Decides nothing: the core does.
import { defaulted, field, type Given, object } from './field.ts';
import { OTHER_POLICIES } from './other-systems.ts';
import { parseDuration } from './quantity.ts';
import { INVALID, mismatch } from './reading.ts';
import { byKind, duration, number, type Shape, whole, wordOf } from './shape.ts';
import type { ListNode, ScalarNode } from './tree.ts';

/** A duration alone may be meant as the same delay each time, or as the first one. */
function adviseBackoff(given: ScalarNode | ListNode): string | undefined {
  const delay = given.kind === 'scalar' && parseDuration(given.text).ok ? given.text : undefined;
  return delay === undefined
    ? undefined
    : `write \`{initial: ${delay}}\`, and \`max: ${delay}\` too if it must not grow`;
}

/** The fields of `backoff`. */
export const BACKOFF = {
  initial: defaulted(duration(1), 'delay before the first restart', '500ms'),
  max: defaulted(duration(1), 'longest delay', '30s'),
  factor: defaulted(number('a number', 1, 100), 'factor between one delay and the next', 2),
} as const;

const POLICY = wordOf(['never', 'on-failure', 'always'], OTHER_POLICIES);

/** Suggestion for Docker's `on-failure:3`. */
function adviseRestart(written: string): string | undefined {
  const max = /^on[-_]failure:(\d+)$/.exec(written)?.[1];
  return max === undefined ? undefined : `did you mean \`{policy: on-failure, max: ${max}}\`?`;
}

/** The short form: a policy. */
const restartWord: Shape<Given<typeof RESTART>> = {
  wanted: POLICY.wanted,
  schema: () => POLICY.schema(),
  read(node, name, reading) {
    const advice = node.kind === 'scalar' ? adviseRestart(node.text) : undefined;
    if (advice !== undefined) return mismatch(node, name, POLICY.wanted, reading, advice);
    const policy = POLICY.read(node, name, reading);
    return policy === INVALID ? INVALID : { policy };
  },
};

/** The fields of `restart` in its long form. */
export const RESTART = {
  policy: defaulted(POLICY, '`never`, `on-failure` or `always`', 'never'),
  max: field(whole('a number', 1, 1_000_000), 'limit of restarts, within `within` or else in a row', 'no limit'),
  within: field(duration(1), 'the time window of `max`', 'since the service was last ready for 60 s'),
  backoff: field(
    object(BACKOFF, { owner: '`backoff`', advise: adviseBackoff }),
    'delays between restarts, with ±10 % of jitter',
    'see below',
  ),
} as const;

/** A word, or `{policy, max, within, backoff}`. */
export function restart(): Shape<Given<typeof RESTART>> {
  return byKind('`never`, `on-failure`, `always`, or a map', {
    scalar: restartWord,
    map: object(RESTART, { owner: '`restart`' }),
  });
}
