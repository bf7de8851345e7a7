// Derives inputs from other inputs: changes, moves, doubles and removes bytes and lines, inserts words, crosses two inputs; and
// shrinks an input while its outcome stays the same. The dice determine every choice.
import type { Dice } from '../test/helpers/nonsense.ts';

const BYTES = [0, 9, 10, 13, 27, 32, 34, 35, 39, 58, 92, 123, 127, 128, 194, 237, 240, 255];

type Mutation = (dice: Dice, bytes: Buffer, words: readonly string[], other: Uint8Array) => Uint8Array[];

/** A random stretch, mostly short. */
function stretch(dice: Dice, length: number): readonly [number, number] {
  const from = dice.below(length + 1);
  return [from, Math.min(length, from + 1 + dice.below(dice.chance(80) ? 12 : length + 1))];
}

/** A stretch of whole lines. */
function lines(dice: Dice, bytes: Buffer): readonly [number, number] {
  const at = dice.below(bytes.length + 1);
  const from = at === 0 ? 0 : bytes.lastIndexOf(10, at - 1) + 1;
  let to = from;
  for (let count = 1 + dice.below(3); count > 0; count -= 1) {
    const end = bytes.indexOf(10, to);
    to = end < 0 ? bytes.length : end + 1;
  }
  return [from, to];
}

const MUTATIONS: readonly Mutation[] = [
  (dice, bytes) => {
    const changed = Buffer.from(bytes);
    if (bytes.length > 0) changed[dice.below(bytes.length)] = dice.chance(70) ? dice.one(BYTES) : dice.below(256);
    return [changed];
  },
  (dice, bytes) => {
    const at = dice.below(bytes.length + 1);
    return [bytes.subarray(0, at), Buffer.from([dice.one(BYTES)]), bytes.subarray(at)];
  },
  (dice, bytes) => {
    const [from, to] = stretch(dice, bytes.length);
    return [bytes.subarray(0, from), bytes.subarray(to)];
  },
  (dice, bytes) => {
    const [from, to] = stretch(dice, bytes.length);
    return [bytes.subarray(0, to), bytes.subarray(from)];
  },
  (dice, bytes, words) => {
    const [from, to] = dice.chance(50) ? stretch(dice, bytes.length) : [dice.below(bytes.length + 1), 0];
    return [bytes.subarray(0, from), Buffer.from(dice.one(words)), bytes.subarray(Math.max(from, to))];
  },
  (dice, bytes) => {
    const [from, to] = lines(dice, bytes);
    return [bytes.subarray(0, from), bytes.subarray(to)];
  },
  (dice, bytes) => {
    const [from, to] = lines(dice, bytes);
    const [at] = lines(dice, bytes);
    return [bytes.subarray(0, at), bytes.subarray(from, to), bytes.subarray(at)];
  },
  (dice, bytes) => {
    const [from, to] = lines(dice, bytes);
    const deeper = dice.chance(60);
    const line = bytes.subarray(from, to);
    return [bytes.subarray(0, from), ...(deeper ? [Buffer.from('  '), line] : [line.subarray(1)]), bytes.subarray(to)];
  },
  (dice, bytes, _words, other) => {
    const [from, to] = stretch(dice, other.length);
    const at = dice.below(bytes.length + 1);
    return [bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)];
  },
  (dice, bytes, _words, other) => [
    bytes.subarray(0, dice.below(bytes.length + 1)),
    other.subarray(dice.below(other.length + 1)),
  ],
  (dice, bytes) => {
    const [from, to] = stretch(dice, bytes.length);
    const again = Array.from({ length: 1 + dice.below(dice.chance(90) ? 8 : 400) }, () => bytes.subarray(from, to));
    return [bytes.subarray(0, from), ...again, bytes.subarray(to)];
  },
];

/** An input made from `bytes`, with pieces of `words` and of `other`, of limited length. */
export function mutate(
  dice: Dice,
  bytes: Uint8Array,
  words: readonly string[],
  other: Uint8Array,
  longest: number,
): Uint8Array {
  let made = Buffer.from(bytes);
  for (let count = 1 + dice.below(dice.chance(80) ? 3 : 12); count > 0; count -= 1) {
    made = Buffer.concat(dice.one(MUTATIONS)(dice, made, words, other)).subarray(0, longest);
  }
  return made;
}

/** The smallest `wanted` input that is found in a number of tries: ever shorter stretches are removed. */
export async function shrink(
  input: Uint8Array,
  wanted: (smaller: Uint8Array) => boolean | Promise<boolean>,
  tries = 2_000,
): Promise<Uint8Array> {
  let least = Buffer.from(input);
  let left = tries;
  for (let size = Math.max(1, least.length >> 1); size >= 1 && left > 0; size >>= 1) {
    for (let from = 0; from < least.length && left > 0; left -= 1) {
      const smaller = Buffer.concat([least.subarray(0, from), least.subarray(from + size)]);
      if (await wanted(smaller)) least = smaller;
      else from += size;
    }
  }
  return least;
}
