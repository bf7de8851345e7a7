// The questions to the supervisor: at most two in a second, and none is forgotten.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  askSoon,
  NOTHING_ASKED,
  nextQuestion,
  noteAsked,
  type Question,
  type QuestionTimes,
  type Wanted,
} from '../../../src/cli/top/questions.ts';

/** Asks for `duration` ms; `hurry` makes a kind due at some times. */
function run(
  wanted: Wanted,
  duration: number,
  hurry: readonly { readonly at: number; readonly kind: Question }[] = [],
) {
  let schedule: QuestionTimes = NOTHING_ASKED;
  const asked: { question: Question; at: number }[] = [];
  const waiting = hurry.toSorted((a, b) => a.at - b.at);
  for (let now = 0; now < duration; ) {
    const next = nextQuestion(schedule, wanted, now);
    if (next === null) break;
    const [first] = waiting;
    if (first !== undefined && first.at <= next.at) {
      waiting.shift();
      now = Math.max(now, first.at);
      schedule = askSoon(schedule, first.kind);
      continue;
    }
    now = next.at;
    schedule = noteAsked(schedule, next.question, now);
    asked.push({ question: next.question, at: now });
  }
  return asked;
}

test('however often the user hurries, any second has at most two questions', () => {
  const kinds: readonly Question[] = ['status', 'logs', 'graph', 'timeline'];
  const hurry = fc.record({ at: fc.nat(10_000), kind: fc.constantFrom(...kinds) });
  fc.assert(
    fc.property(fc.array(hurry, { maxLength: 100 }), (hurries) => {
      const asked = run({ status: 1_000, logs: 1_000, graph: 15_000, timeline: 2_000 }, 10_000, hurries);
      for (const [index, { at }] of asked.entries()) {
        const earlier = asked[index - 2];
        if (earlier !== undefined) expect(at - earlier.at).toBeGreaterThanOrEqual(1_000);
      }
    }),
  );
});

test('status and log are asked once a second each, and a rare question comes between them', () => {
  const asked = run({ status: 1_000, logs: 1_000, graph: 15_000 }, 60_000);
  const count = (kind: Question) => asked.filter(({ question }) => question === kind).length;
  expect(count('status')).toBeGreaterThanOrEqual(56);
  expect(count('logs')).toBeGreaterThanOrEqual(56);
  expect(count('graph')).toBe(4);
});

test('nothing wanted, nothing asked', () => {
  expect(nextQuestion(NOTHING_ASKED, {}, 5)).toBeNull();
});
