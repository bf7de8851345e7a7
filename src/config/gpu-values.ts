// `gpus`: the devices that a service requests, whether it shares them, and what must hold before a run. Detects no devices:
// the plan lists and assigns them.
import { defaulted, field, type Given, object, objectSchema } from './field.ts';
import { INVALID, type Invalid, mismatch, type Reading } from './reading.ts';
import { byKind, duration, flag, INTERPOLATED, listOf, refined, type Shape, size, text, word } from './shape.ts';
import type { Node } from './tree.ts';

/** A number of devices; all of them; or a list: positions among the container's devices, UUIDs, names of MIG slices. */
export type GpuWish = number | 'all' | readonly string[];

/** More than any machine has; a larger number was meant differently. */
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
      // A quoted number is accepted, because the value of a variable is a text too.
      const count = /^\d{1,9}$/.test(given) ? Number(given) : -1;
      return count >= 0 && count <= MOST ? count : mismatch(node, name, wanted, reading, advise(given));
    },
  };
}

function advise(given: string): string | undefined {
  if (/^(?:true|yes|on)$/i.test(given)) return 'write `1`, or `all`';
  if (/^(?:none|no|off|false)$/i.test(given)) return 'write `0` to hide all GPUs from the service';
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

/** The keys that request devices; exactly one of them is allowed. */
const WISHES = ['count', 'devices', 'share'] as const;

export const GPUS = {
  count: field(countOrAll('a number of devices, or `all`'), 'how many, or `all`: devices that no other service has'),
  devices: field(devices, "which: positions among the container's devices, UUIDs, names of MIG slices"),
  share: field(
    byKind<number | 'all', readonly string[]>('a number, `all`, or a list of devices', {
      scalar: countOrAll('a number of devices, or `all`'),
      list: devices,
    }),
    'how many, `all`, or a list, as above; other services may share the same devices',
  ),
  optional: defaulted(
    flag(),
    'use the devices that exist and are free, possibly none, instead of refusing to start',
    false,
  ),
  min_free: field(size(), 'memory that must be free on each device before a run: `20GiB`', 'no minimum'),
  free_timeout: defaulted(
    duration(),
    'how long a run waits for `min_free` and for the memory of the previous run; after that the start fails (with `share` only for lack of `min_free`)',
    '60s',
  ),
  on_lost: defaulted(
    word('exit', 'restart'),
    'what happens when the driver stops responding: end the container with exit code 75, or let `restart` decide',
    'exit',
  ),
} as const;

/** The value as written. */
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
      ? reading.report(node, 'missing-key', `${name} has neither a number nor a list of devices: it needs \`count\``, {
          suggestion: 'or `devices: [0, 1]`, or `share: all`',
        })
      : reading.report(entry ?? node, 'contradiction', `\`${first}\` and \`${second}\` are alternatives`);
  }
  const wish = count ?? listed ?? share;
  return wish === undefined ? INVALID : { ...rest, wish, shared: share !== undefined };
}

const WANTED = 'a number, `all`, a list of devices, or a map';
const RULES = { owner: '`gpus`', elsewhere: { memory: 'it is called `min_free`', ids: 'it is called `devices`' } };
const alone = (wish: GpuWish): GpusGiven => ({ wish, shared: false });

/** All forms together; the file's schema refers to it from two places. */
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
