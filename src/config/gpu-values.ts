// `gpus`: which devices a service asks for, whether others may be given them too, and what is to be so before it runs.
// Looks for no device: what there is, and who gets which, is the plan's business.
import { defaulted, field, type Given, object, objectSchema } from './field.ts';
import { INVALID, type Invalid, mismatch, type Reading } from './reading.ts';
import { byKind, duration, flag, INTERPOLATED, listOf, refined, type Shape, size, text, word } from './shape.ts';
import type { Node } from './tree.ts';

/** So many; all; or these, by position among what the container has, by UUID or by the name of a MIG slice. */
export type GpuWish = number | 'all' | readonly string[];

/** More than any machine has; a larger number was meant as something else. */
const MOST = 256;
const DEVICE = /^(?:\d{1,3}|GPU-[\da-fA-F-]+|MIG-[\w/-]+)$/;
const DEVICE_WANTED = 'a position (0 is the first), a UUID (`GPU-…`) or the name of a MIG slice (`MIG-…`)';

/** A number of devices, or `all`. */
function countOrAll(wanted: string): Shape<number | 'all'> {
  return {
    wanted,
    schema: () => ({ anyOf: [{ type: 'integer', minimum: 0, maximum: MOST }, { const: 'all' }, INTERPOLATED] }),
    read(node, name, reading) {
      const given = text({ wanted, loose: true }).read(node, name, reading);
      if (given === INVALID) return INVALID;
      if (given === 'all') return 'all';
      // A quoted number is taken: what variables put in is a text too.
      const count = /^\d{1,9}$/.test(given) ? Number(given) : -1;
      return count >= 0 && count <= MOST ? count : mismatch(node, name, wanted, reading, advise(given));
    },
  };
}

function advise(given: string): string | undefined {
  if (/^(?:true|yes|on)$/i.test(given)) return 'write `1`, or `all`';
  if (/^(?:none|no|off|false)$/i.test(given)) return 'write `0` for a service that is to see none';
  return /^[^,]+(?:,[^,]+)+$/.test(given) || DEVICE.test(given) ? `write \`[${given}]\`` : undefined;
}

const devices: Shape<readonly string[]> = refined(
  listOf(text({ wanted: DEVICE_WANTED, loose: true, pattern: DEVICE }), { wanted: 'a list of devices', least: 1 }),
  (given, node, name, reading) => {
    const twice = given.find((one, at) => given.indexOf(one) < at);
    return twice === undefined ? given : reading.report(node, 'named-twice', `${name} names \`${twice}\` twice`);
  },
  () => ({
    type: 'array',
    minItems: 1,
    items: {
      anyOf: [
        { type: 'integer', minimum: 0, maximum: 999 },
        { type: 'string', minLength: 1 },
      ],
    },
  }),
);

/** What stands for a wish: each of these alone. */
const WISHES = ['count', 'devices', 'share'] as const;

export const GPUS = {
  count: field(countOrAll('a number of devices, or `all`'), 'how many, or `all`: those that nobody else has'),
  devices: field(devices, 'which: positions among those that the container has, UUIDs, names of MIG slices'),
  share: field(
    byKind<number | 'all', readonly string[]>('a number, `all`, or a list of devices', {
      scalar: countOrAll('a number of devices, or `all`'),
      list: devices,
    }),
    'how many, `all`, or a list, as above; but others may be given the same ones',
  ),
  optional: defaulted(flag(), 'take what is there and free, down to none, instead of refusing to start', false),
  min_free: field(size(), 'memory that must be free on each device before a run: `20GiB`', 'whatever is free'),
  free_timeout: defaulted(
    duration(),
    'how long a run waits for the memory of the run before it; past it the start has failed',
    '60s',
  ),
  on_lost: defaulted(
    word('exit', 'restart'),
    'when the driver does not answer any more: end the container with code 75, or leave it to `restart`',
    'exit',
  ),
} as const;

/** The value as it is written. */
export interface GpusGiven extends Omit<Given<typeof GPUS>, (typeof WISHES)[number]> {
  readonly wish: GpuWish;
  readonly shared: boolean;
}

function readMap(given: Given<typeof GPUS>, node: Node, name: string, reading: Reading): GpusGiven | Invalid {
  const { count, devices: listed, share, ...rest } = given;
  const written = node.kind === 'map' ? WISHES.filter((key) => node.entries.has(key)) : [];
  if (written.length !== 1) {
    const [first = '', second = ''] = written;
    const entry = node.kind === 'map' && second !== '' ? node.entries.get(second)?.keySpan : undefined;
    return written.length === 0
      ? reading.report(node, 'missing-key', `${name} says neither how many nor which: it needs \`count\``, {
          suggestion: 'or `devices: [0, 1]`, or `share: all`',
        })
      : reading.report(entry ?? node, 'contradiction', `\`${first}\` and \`${second}\` are two ways to say which`);
  }
  const wish = count ?? listed ?? share;
  return wish === undefined ? INVALID : { ...rest, wish, shared: share !== undefined };
}

const WANTED = 'a number, `all`, a list of devices, or a map';
const RULES = { owner: '`gpus`', elsewhere: { memory: 'it is called `min_free`', ids: 'it is called `devices`' } };
const alone = (wish: GpuWish): GpusGiven => ({ wish, shared: false });

/** The whole of it; the schema of the file refers to it from two places. */
export const gpusShape: Shape<GpusGiven> = byKind<GpusGiven, GpusGiven, GpusGiven>(WANTED, {
  scalar: refined(countOrAll(WANTED), alone),
  list: refined(devices, alone),
  map: refined(object(GPUS, RULES), readMap, () => ({
    ...objectSchema(GPUS, RULES),
    oneOf: WISHES.map((key) => ({ required: [key] })),
  })),
});

/** `1`, `all`, `[0, 1]`, or a map. */
export function gpus(): Shape<GpusGiven> {
  return { ...gpusShape, schema: () => ({ anyOf: [{ $ref: '#/definitions/gpus' }] }) };
}
