// The attributes of a service's process: user, file mode mask, processors, resource limits. Looks nothing up: the plan
// resolves users.
import { isLimitName, LIMITS, type Limit, type LimitKind, type LimitName } from '../linux/limits.ts';
import { didYouMean } from './nearest.ts';
import { parseSize } from './quantity.ts';
import { fill, INVALID, type Invalid, mismatch, type Reading } from './reading.ts';
import { refined, type Shape, text } from './shape.ts';
import type { Node } from './tree.ts';

/** `name`, `uid` or either with `:group`, as written. */
export interface UserName {
  readonly user: string;
  readonly group: string | null;
}

/** A user, with or without a group. */
export function user(): Shape<UserName> {
  const wanted = 'a user (`name`, `uid` or `user:group`)';
  return refined(text({ wanted, loose: true, pattern: /^[^:\s]+(?::[^:\s]+)?$/ }), (value) => {
    const [name = '', group = null] = value.split(':');
    return { user: name, group };
  });
}

/** A file mode creation mask: three or four octal digits as a text. The value is the mask itself. */
export function umask(): Shape<number> {
  const wanted = 'three or four octal digits in quotes (`"022"`)';
  return {
    wanted,
    schema: () => ({ type: 'string', pattern: '^[0-7]{3,4}$|\\$\\{' }),
    read(node, name, reading) {
      if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading, 'text');
      if (filled === INVALID) return INVALID;
      // `022` is eighteen in YAML 1.1 and twenty-two in YAML 1.2, so a bare number is ambiguous.
      if (typeof node.value === 'number') {
        const digits = node.text.replace(/^0o/, '').padStart(3, '0');
        return mismatch(node, name, wanted, reading, /^[0-7]{3,4}$/.test(digits) ? `write \`"${digits}"\`` : undefined);
      }
      return /^[0-7]{3,4}$/.test(filled.text) ? Number.parseInt(filled.text, 8) : mismatch(node, name, wanted, reading);
    },
  };
}

// The kernel's own ceiling (NR_CPUS) on x86-64.
const MAX_CPU = 8191;

/** Processor numbers as taskset(1) writes them: `0-3,8`. The value is ascending and without repetitions. */
export function cpus(): Shape<readonly number[]> {
  const wanted = 'processor numbers as a text (`"0-3,8"`)';
  return {
    wanted,
    schema: () => ({ type: 'string', pattern: '^\\s*\\d+(-\\d+)?\\s*(,\\s*\\d+(-\\d+)?\\s*)*$|\\$\\{' }),
    read(node, name, reading) {
      if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading, 'text');
      if (filled === INVALID) return INVALID;
      // In other systems a bare number here is HOW MANY processors; accepting it would pin the service to one of them.
      if (typeof node.value === 'number') {
        const advice = `write \`"${node.text}"\` for processor number ${node.text}, \`"0-3"\` for the first four`;
        return mismatch(node, name, wanted, reading, Number.isInteger(node.value) ? advice : undefined);
      }
      const numbers = new Set<number>();
      for (const part of filled.text.split(',')) {
        const found = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
        const first = Number(found?.[1]);
        const last = Number(found?.[2] ?? found?.[1]);
        if (found === null || first > last || last > MAX_CPU) return mismatch(node, name, wanted, reading);
        for (let cpu = first; cpu <= last; cpu += 1) numbers.add(cpu);
      }
      return [...numbers].sort((a, b) => a - b);
    },
  };
}

/** Limits of Compose and Kubernetes that are no resource limits of a process. */
const OTHER_LIMITS: ReadonlyMap<string, string> = new Map([
  ['memory', 'write `memory_limit: …` in the service'],
  ['mem', 'write `memory_limit: …` in the service'],
  ['cpus', 'write `cpus: "0-3"` in the service: the processors that it may run on'],
  ['pids', 'write `nproc`, the processes and threads of the user'],
]);

/** A map of limits: each is one value for both, or `{soft, hard}`. */
export function limits(): Shape<ReadonlyMap<LimitName, Limit>> {
  const wanted = 'a map of limits (`{nofile: 65536, memlock: unlimited}`)';
  return {
    wanted,
    schema: () => ({
      type: 'object',
      properties: Object.fromEntries(Object.entries(LIMITS).map(([key, kind]) => [key, limitSchema(kind)])),
      additionalProperties: false,
    }),
    read(node, name, reading) {
      if (node.kind !== 'map') return mismatch(node, name, wanted, reading);
      const values = new Map<LimitName, Limit>();
      for (const { key, keySpan, node: value } of node.entries.values()) {
        if (!isLimitName(key)) {
          const known = `known: ${Object.keys(LIMITS).join(', ')}`;
          const suggestion = OTHER_LIMITS.get(key) ?? didYouMean(key, Object.keys(LIMITS)) ?? known;
          reading.report(keySpan, 'unknown-key', `there is no limit \`${key}\``, { suggestion });
          continue;
        }
        const limit = readLimit(value, `\`limits.${key}\``, LIMITS[key], reading);
        if (limit !== INVALID) values.set(key, limit);
      }
      return values;
    },
  };
}

function readLimit(node: Node, name: string, kind: LimitKind, reading: Reading): Limit | Invalid {
  if (node.kind !== 'map') {
    const both = readAmount(node, name, kind, reading);
    return both === INVALID ? INVALID : { soft: both, hard: both };
  }
  for (const { key, keySpan } of node.entries.values()) {
    if (key !== 'soft' && key !== 'hard') {
      const suggestion = didYouMean(key, ['soft', 'hard']);
      reading.report(keySpan, 'unknown-key', `unknown key \`${key}\` in a limit`, { suggestion });
    }
  }
  const [softNode, hardNode] = [node.entries.get('soft')?.node, node.entries.get('hard')?.node];
  if (softNode === undefined || hardNode === undefined) {
    return reading.report(node, 'missing-key', `${name} needs both \`soft\` and \`hard\``);
  }
  const soft = readAmount(softNode, name, kind, reading);
  const hard = readAmount(hardNode, name, kind, reading);
  if (soft === INVALID || hard === INVALID) return INVALID;
  if ((soft ?? Number.POSITIVE_INFINITY) > (hard ?? Number.POSITIVE_INFINITY)) {
    return reading.report(softNode, 'wrong-value', `the soft value of ${name} is greater than its hard value`);
  }
  return { soft, hard };
}

function readAmount(node: Node, name: string, kind: LimitKind, reading: Reading): number | null | Invalid {
  const wanted =
    kind.unit === 'bytes'
      ? 'a size (`64MiB`), `0` or `unlimited`'
      : `a whole number${kind.most === undefined ? '' : ` up to ${kind.most}`} or \`unlimited\``;
  if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
  const filled = fill(node, reading);
  if (filled === INVALID) return INVALID;
  if (filled.text === 'unlimited') return null;
  if (filled.text === '-1') return mismatch(node, name, wanted, reading, 'write `unlimited`');
  if (filled.text === '0') return 0;
  if (kind.unit === 'bytes') {
    const parsed = parseSize(filled.text);
    return parsed.ok ? parsed.value : mismatch(node, name, wanted, reading, parsed.suggestion);
  }
  const { value } = filled;
  const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= (kind.most ?? value);
  return fits ? value : mismatch(node, name, wanted, reading);
}

function limitSchema(kind: LimitKind): Readonly<Record<string, unknown>> {
  const amount =
    kind.unit === 'bytes'
      ? { anyOf: [{ const: 0 }, { type: 'string' }] }
      : {
          anyOf: [
            { type: 'integer', minimum: 0, ...(kind.most === undefined ? {} : { maximum: kind.most }) },
            { type: 'string' },
          ],
        };
  const pair = {
    type: 'object',
    properties: { soft: amount, hard: amount },
    required: ['soft', 'hard'],
    additionalProperties: false,
  };
  return { description: kind.about, anyOf: [...amount.anyOf, pair] };
}
