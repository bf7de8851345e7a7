// The context of reading a tree: the environment variables and the list of problems. Collects problems and never throws.
import type { Diagnostic } from './diagnostic.ts';
import { interpolate } from './interpolate.ts';
import { type Node, type ScalarNode, type Source, type Span, toPlace } from './tree.ts';

/** What a shape returns instead of a value, after it has reported the problem. */
export const INVALID = Symbol('invalid');
export type Invalid = typeof INVALID;

interface Extra {
  readonly suggestion?: string | undefined;
  readonly related?: readonly { readonly message: string; readonly span: Span }[];
}

/** Receives what the text of a file alone does not show. */
export interface Observer {
  /** A scalar with variables, and what it becomes. `text`: also if it looks like a number. */
  filled(node: ScalarNode, text: string, as: 'text' | 'value'): void;
  /** A path that starts at the folder of its file. */
  path(node: Node): void;
}

export interface Reading {
  readonly source: Source;
  readonly environment: Readonly<Record<string, string>>;
  /** Absent for all uses but the printing of a resolved configuration. */
  readonly observer?: Observer;
  /** Number of problems so far. If reading a value does not change it, the value is valid. */
  count(): number;
  /** Always returns INVALID, so that a shape can end with it. */
  report(span: Span, code: string, message: string, extra?: Extra): Invalid;
}

/** Appends problems in `source` to `into`. */
export function makeReading(
  source: Source,
  environment: Readonly<Record<string, string>>,
  into: Diagnostic[],
): Reading {
  return {
    source,
    environment,
    count: () => into.length,
    report(span, code, message, extra = {}) {
      into.push({
        severity: 'error',
        code,
        message,
        ...toPlace(source, span),
        ...(extra.suggestion === undefined ? {} : { suggestion: extra.suggestion }),
        ...(extra.related === undefined
          ? {}
          : {
              related: extra.related.map((place) => ({
                message: place.message,
                ...toPlace(source, place.span),
              })),
            }),
      });
      return INVALID;
    },
  };
}

/** The variable with the number of a replica. It exists only within a service; its value in the environment is ignored. */
export const REPLICA = 'SVC_REPLICA';

/** `reading` with `${SVC_REPLICA}` for one replica of a service. */
export function forReplica(reading: Reading, index: number): Reading {
  return { ...reading, environment: { ...reading.environment, [REPLICA]: String(index) } };
}

/** `reading` that reports nothing. */
export function silently(reading: Reading): Reading {
  let count = reading.count();
  const report = (): Invalid => {
    count += 1;
    return INVALID;
  };
  return { ...reading, count: () => count, report };
}

/** `reading` without `${SVC_REPLICA}`. */
export function withoutReplica(reading: Reading): Reading {
  const { [REPLICA]: _, ...environment } = reading.environment;
  return { ...reading, environment };
}

/** A scalar after interpolation. Text fields take `text`; numbers and booleans use `value`. */
interface Filled {
  readonly text: string;
  readonly value: string | number | boolean | null;
  /** It contained a variable: then its text counts, whatever its quotes. */
  readonly interpolated: boolean;
}

/**
 * Interpolates a scalar; invalid references are reported at their positions. `as`: whether a result such as `8080` counts as
 * a text (`text`) or as a number (`value`), for the observer.
 */
export function fill(node: ScalarNode, reading: Reading, as: 'text' | 'value' = 'value'): Filled | Invalid {
  if (typeof node.value !== 'string') return { text: node.text, value: node.value, interpolated: false };
  const result = interpolate(node.value, reading.environment);
  if (result.ok) {
    if (!result.changed) return { text: result.text, value: result.text, interpolated: false };
    reading.observer?.filled(node, result.text, as);
    return { text: result.text, value: coreValue(result.text), interpolated: true };
  }
  for (const { code, message, suggestion, reference } of result.problems) {
    const found = reading.source.text.indexOf(reference, node.start);
    const inside = found >= 0 && found + reference.length <= node.end;
    const span = inside ? { start: found, end: found + reference.length } : node;
    reading.report(span, code, message, { suggestion });
  }
  return INVALID;
}

/** Reports that a node is not of the wanted kind. `name` is the place as the message shows it: `` `port` ``. */
export function mismatch(node: Node, name: string, wanted: string, reading: Reading, suggestion?: string): Invalid {
  if (node.kind === 'scalar' && node.value === null) {
    return reading.report(node, 'empty-value', `${name} is empty: it must be ${wanted}`, {
      suggestion: suggestion ?? 'give it a value, or remove the key',
    });
  }
  return reading.report(node, 'wrong-value', `${name} must be ${wanted}, not ${describe(node, reading)}`, {
    suggestion,
  });
}

/** References to variables whose values are probably secret; messages appear in logs. */
export const SECRET = /\$\{\w*(?:TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|_PWD)/i;

/** Describes a node, short enough for a message: `"abc"`, `5`, `a list`. */
export function describe(node: Node, reading: Reading): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a map';
  const result = typeof node.value === 'string' ? interpolate(node.value, reading.environment) : null;
  if (result?.ok && result.changed) {
    const from = shorten(node.text, 30);
    return SECRET.test(node.text) ? `the value of ${from}` : `${quote(result.text)} (from ${from})`;
  }
  return typeof node.value === 'string' ? quote(node.value) : shorten(node.text, 40);
}

/** A text as written within `{}` or `[]`: quoted if necessary. */
export function inFlow(text: string): string {
  return /^[\w./~](?:[\w./~@=+ -]*[\w./])?$/.test(text) ? text : JSON.stringify(text);
}

/** A text in quotes, cut to 40 characters. */
export function quote(text: string): string {
  return `"${shorten(text, 40)}"`;
}

/** The value of a text without quotes by the core schema of YAML 1.2. No field accepts `.inf` or `.nan`: they stay texts. */
export function coreValue(text: string): string | number | boolean | null {
  if (/^(?:null|Null|NULL|~|)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?\d+$/.test(text) || /^0x[\da-fA-F]+$/.test(text)) return Number(text);
  if (/^0o[0-7]+$/.test(text)) return Number(text);
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  return text;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
