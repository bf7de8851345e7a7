// Values of service fields: dependencies, booleans, signals, environment entries. The plan checks whether a named service or
// file exists.

import { SIGNAL_NAMES } from '../linux/signals.ts';
import { adviseItems } from './advice.ts';
import { didYouMean } from './nearest.ts';
import { fill, INVALID, type Invalid, mismatch, type Reading } from './reading.ts';
import { byKind, INTERPOLATED, listOf, refined, type Shape, text, wordOf } from './shape.ts';
import { parseSignal, whyNotForwarded, whyNotStopRequest } from './signal.ts';
import type { MapEntry, Node, PathStep } from './tree.ts';

export const CONDITIONS = ['started', 'ready', 'completed', 'exited'] as const;
type ConditionWord = (typeof CONDITIONS)[number];

interface Dependency {
  readonly name: string;
  /** null in the list form: the target decides. */
  readonly condition: ConditionWord | null;
  /** How many of the target's replicas must satisfy the condition; null: all. */
  readonly any: number | null;
  /** Whether the dependent restarts with the target. */
  readonly restart: boolean;
  /** The last step of its path in the tree: an index of the list, or its key. */
  readonly step: PathStep;
}

/** Words of Compose and process-compose, and other common words, for the conditions. */
const OTHER_CONDITIONS: Readonly<Record<string, ConditionWord>> = {
  'service-started': 'started',
  'process-started': 'started',
  running: 'started',
  up: 'started',
  alive: 'started',
  'service-healthy': 'ready',
  'process-healthy': 'ready',
  'process-log-ready': 'ready',
  healthy: 'ready',
  health: 'ready',
  'service-completed-successfully': 'completed',
  'process-completed-successfully': 'completed',
  'completed-successfully': 'completed',
  complete: 'completed',
  done: 'completed',
  finished: 'completed',
  success: 'completed',
  succeeded: 'completed',
  'process-completed': 'exited',
  ended: 'exited',
  stopped: 'exited',
};

/** A condition of `depends_on`. */
export const conditionWord: Shape<ConditionWord> = wordOf(CONDITIONS, OTHER_CONDITIONS);

/** The value of `{condition, any, restart}`. */
interface Terms {
  readonly condition?: ConditionWord;
  readonly any?: number;
  readonly restart?: boolean;
}

/** `[a, b]`, `{a: ready}`, or `{a: {condition: ready, any: 1}}`, of which `terms` reads the inner map. */
export function dependencies(terms: Shape<Terms>): Shape<readonly Dependency[]> {
  const wanted = 'a list of services, or a map of services and conditions';
  const item = text({ wanted: 'the name of a service', loose: true });
  const list: Shape<readonly Dependency[]> = {
    wanted,
    schema: () => ({ type: 'array', items: item.schema() }),
    read(node, name, reading) {
      if (node.kind !== 'list') return mismatch(node, name, wanted, reading);
      const first = new Map<string, Dependency & { readonly node: Node }>();
      node.items.forEach((one, step) => {
        const target = item.read(one, `an item of ${name}`, reading);
        if (target === INVALID) return;
        const earlier = first.get(target);
        if (earlier === undefined)
          first.set(target, { name: target, condition: null, any: null, restart: false, step, node: one });
        else {
          const related = [{ message: 'first named here', span: earlier.node }];
          reading.report(one, 'named-twice', `${name} names \`${target}\` twice`, { related });
        }
      });
      return [...first.values()].map(({ node: _node, ...dependency }) => dependency);
    },
  };
  const map: Shape<readonly Dependency[]> = {
    wanted,
    schema: () => ({ type: 'object', additionalProperties: { anyOf: [{ enum: [...CONDITIONS] }, terms.schema()] } }),
    read(node, name, reading) {
      if (node.kind !== 'map') return mismatch(node, name, wanted, reading);
      return [...node.entries.values()].flatMap((entry): Dependency[] => {
        const value = readTerms(entry, terms, reading);
        if (value === INVALID) return [];
        const { condition = null, any = null, restart = false } = value;
        return [{ name: entry.key, condition, any, restart, step: entry.key }];
      });
    },
  };
  const one = refused(wanted);
  return byKind<readonly Dependency[], readonly Dependency[], readonly Dependency[]>(wanted, {
    scalar: one,
    list,
    map,
  });
}

/** Reports a scalar, and suggests the list. */
function refused(wanted: string): Shape<never> {
  return {
    wanted,
    schema: () => ({ not: {} }),
    read: (node, name, reading) => mismatch(node, name, wanted, reading, adviseItems(node, reading)),
  };
}

function readTerms({ key, node }: MapEntry, terms: Shape<Terms>, reading: Reading): Terms | Invalid {
  const name = `\`depends_on.${key}\``;
  if (node.kind === 'map') return terms.read(node, name, reading);
  const value = conditionWord.read(node, name, reading);
  return value === INVALID ? INVALID : { condition: value };
}

const YES = /^(?:true|yes|on|1)$/i;
const NO = /^(?:false|no|off|0|)$/i;

/** A boolean that may contain variables: the words for yes and no in any case; an empty text means no. */
export function enabled(): Shape<boolean> {
  const wanted = '`true` or `false` (or `1`, `yes`, `on`; `0`, `no`, `off`, or empty)';
  return {
    wanted,
    schema: () => ({ anyOf: [{ type: 'boolean' }, { enum: [0, 1] }, { type: 'string' }] }),
    read(node, name, reading) {
      if (node.kind !== 'scalar' || node.value === null) return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading);
      if (filled === INVALID) return INVALID;
      const written = filled.text.trim();
      if (YES.test(written)) return true;
      if (NO.test(written)) return false;
      const [first, ...more] = filled.interpolated ? node.text.matchAll(/\$\{(\w+)(:[-+])?/g) : [];
      if (first === undefined) return mismatch(node, name, wanted, reading);
      const [, variable = '', operator] = first;
      const isDefault = operator === ':-' && !reading.environment[variable];
      // The message does not show the variable's value: it may be a password.
      const found =
        more.length > 0
          ? 'what its variables give'
          : operator === ':+'
            ? 'the text after its `:+`'
            : `the ${isDefault ? 'default' : 'value'} of ${variable}`;
      const suggestion = `write \`\${${variable}:+true}\` if any value but an empty one means yes`;
      return reading.report(
        node,
        'wrong-value',
        `${name} must be ${wanted}, but ${found} is neither`,
        more.length > 0 ? {} : { suggestion },
      );
    },
  };
}

/** A signal by name or number; the value is its canonical name. */
export function signal(): Shape<string> {
  const wanted = 'a signal (`TERM`, `SIGINT`, `15`)';
  return refined(
    text({ wanted, loose: true }),
    (written, node, _name, reading) => {
      const parsed = parseSignal(written);
      if (parsed.ok) return parsed.name;
      return reading.report(node, 'unknown-signal', parsed.why, { suggestion: parsed.suggestion });
    },
    () => ({
      anyOf: [{ enum: SIGNAL_NAMES.flatMap((name) => [name, `SIG${name}`]) }, { type: ['string', 'integer'] }],
    }),
  );
}

/** A signal that may ask the supervisor to stop. */
export function stopSignal(): Shape<string> {
  return refined(signal(), (name, node, _name, reading) => {
    const why = whyNotStopRequest(name);
    return why === null ? name : reading.report(node, 'wrong-value', `${name} cannot be a stop signal: ${why}`);
  });
}

/** `[HUP, USR1]` or `{HUP: QUIT}`: the signal that the supervisor receives, and the one to send, by canonical names. */
export function forwards(): Shape<ReadonlyMap<string, string>> {
  const wanted = 'a list of signals, or a map of signals';
  const outgoing = signal();
  const incoming = (written: string, node: { start: number; end: number }, reading: Reading): string | Invalid => {
    const parsed = parseSignal(written);
    if (!parsed.ok) return reading.report(node, 'unknown-signal', parsed.why, { suggestion: parsed.suggestion });
    const why = whyNotForwarded(parsed.name);
    if (why === null) return parsed.name;
    return reading.report(node, 'not-forwardable', `${parsed.name} cannot be forwarded: ${why}`);
  };
  return {
    wanted,
    schema: () => ({
      anyOf: [
        { type: 'array', items: outgoing.schema() },
        { type: 'object', additionalProperties: outgoing.schema() },
      ],
    }),
    read(node, name, reading) {
      const values = new Map<string, string>();
      const add = (from: string, to: string, at: { start: number; end: number }): void => {
        if (values.has(from)) reading.report(at, 'named-twice', `${name} names ${from} twice`);
        values.set(from, to);
      };
      if (node.kind === 'list') {
        for (const item of node.items) {
          const written = outgoing.read(item, `an item of ${name}`, reading);
          const from = written === INVALID ? INVALID : incoming(written, item, reading);
          if (from !== INVALID) add(from, from, item);
        }
        return values;
      }
      if (node.kind !== 'map') {
        const advice = node.kind === 'scalar' && node.value !== null ? `write \`[${node.text}]\`` : undefined;
        return mismatch(node, name, wanted, reading, advice);
      }
      for (const entry of node.entries.values()) {
        const from = incoming(entry.key, entry.keySpan, reading);
        const to = outgoing.read(entry.node, `\`forward.${entry.key}\``, reading);
        if (from !== INVALID && to !== INVALID) add(from, to, entry.keySpan);
      }
      return values;
    },
  };
}

/** `all`, `none`, or patterns of variable names with `*` and `?`. */
export function inherited(): Shape<'all' | 'none' | readonly string[]> {
  const wanted = '`all`, `none`, or a list of names and patterns (`[PATH, "RAY_*"]`)';
  const known = ['all', 'none'];
  const one: Shape<'all' | 'none'> = {
    wanted,
    schema: () => ({ anyOf: [{ enum: known }, INTERPOLATED] }),
    read(node, name, reading) {
      if (node.kind !== 'scalar') return mismatch(node, name, wanted, reading);
      const filled = fill(node, reading);
      if (filled === INVALID) return INVALID;
      if (filled.text === 'all' || filled.text === 'none') return filled.text;
      const advice = didYouMean(filled.text, known) ?? `write \`[${node.text}]\``;
      return mismatch(node, name, wanted, reading, /^[\w*?]+$/.test(node.text) ? advice : undefined);
    },
  };
  const many: Shape<readonly string[]> = listOf(text({ wanted: 'a name or a pattern', pattern: /^[^=]+$/ }), {
    wanted,
  });
  return byKind<'all' | 'none', readonly string[]>(wanted, { scalar: one, list: many });
}

/** Names of environment variables: any that execve(2) can pass. */
export const VARIABLE = { pattern: /^[^=\0]+$/, wanted: 'a name of a variable (not empty, no `=`)' } as const;

/** The value of a variable, or the file that holds it. */
export type EnvValue = string | { readonly file?: string };

/** A text, number or boolean as it is written, or `{file: path}`. */
export function environmentValue(file: Shape<{ readonly file?: string }>): Shape<EnvValue> {
  const wanted = 'a text, a number, `true`, `false`, or `{file: path}`';
  const written = text({ wanted, loose: true, empty: true });
  return {
    wanted,
    schema: () => ({ anyOf: [written.schema(), file.schema()] }),
    read(node, name, reading) {
      if (node.kind === 'map') return file.read(node, name, reading);
      const empty = node.kind === 'scalar' && node.value === null;
      return empty
        ? mismatch(node, name, wanted, reading, 'write `""` for an empty text')
        : written.read(node, name, reading);
    },
  };
}

/** `off`, `false` (what YAML 1.1 makes of `off`), or what `shape` reads. */
export function orOff<T>(shape: Shape<T>): Shape<T | 'off'> {
  const wanted = `${shape.wanted}, or \`off\``;
  return {
    wanted,
    schema: () => ({ anyOf: [shape.schema(), { const: 'off' }, { const: false }] }),
    read(node, name, reading) {
      const off = node.kind === 'scalar' && (node.value === false || node.value === 'off');
      return off ? 'off' : shape.read(node, name, reading);
    },
  };
}
