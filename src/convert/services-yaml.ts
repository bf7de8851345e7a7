// Writes a services.yaml as a person would: comments with the place in the source, fields in the order of the reference,
// only what differs from the default, `# TODO` where a decision is open. Reads no file and checks nothing.
import type { Fields } from '../config/field.ts';
import { HOOK, HOOKS } from '../config/hook-values.ts';
import { PROBE } from '../config/probe-schema.ts';
import { BACKOFF, RESTART } from '../config/restart-values.ts';
import { LOG, LOG_FILE, SERVICE, STOP, TOP } from '../config/schema.ts';
import { printable } from '../text.ts';
import {
  isMap,
  type Line,
  type MapForm,
  pairsOf,
  type Value,
  type ValueMap,
  writeEntry,
  writeKey,
} from './yaml-values.ts';

/** One service of a file that is being made. */
export interface ServiceDraft {
  name: string;
  /** Lines above the service, without `#`: where it comes from. */
  comments: string[];
  /** Decisions that are open: each becomes a comment `TODO: …`. */
  todo: string[];
  fields: Record<string, Value | undefined>;
}

/** A services.yaml that is being made. Values are as they are written in the file: `${X}` is a reference. */
export interface FileDraft {
  /** Comment lines at the top, without `#`. */
  comments: string[];
  top: Record<string, Value | undefined>;
  services: ServiceDraft[];
}

/** A text of services.yaml, and for each of its lines the key that it belongs to: `['services', 'web', 'env', 'A']`. */
export interface WrittenServices {
  readonly text: string;
  readonly paths: readonly (readonly string[])[];
}

/** An empty file. */
export function makeDraft(...comments: readonly string[]): FileDraft {
  return { comments: [...comments], top: {}, services: [] };
}

/** Tables of the maps within a service, by the path of keys. */
const NESTED: Readonly<Record<string, Fields>> = {
  restart: RESTART,
  'restart.backoff': BACKOFF,
  stop: STOP,
  log: LOG,
  'log.file': LOG_FILE,
  'log.stderr_file': LOG_FILE,
  hooks: HOOKS,
  'hooks.before_start': HOOK,
  'hooks.after_ready': HOOK,
  'hooks.after_exit': HOOK,
  ready: PROBE,
  live: PROBE,
};

/** Fields that make `essential` false unless it is given (config.ts). */
const STARTS = ['start', 'schedule', 'every'];

/** Prints the file. Fields with their default value are left out, unless `defaults` gives another one. */
export function writeServicesYaml({ comments, top, services }: FileDraft): WrittenServices {
  const lines: Line[] = comments.map((text) => comment([], text, 0));
  const defaults = top.defaults !== undefined && isMap(top.defaults) ? top.defaults : {};
  for (const key of Object.keys(TOP)) {
    const value = key === 'services' ? undefined : top[key];
    if (value !== undefined && !isDefault(TOP, key, value))
      lines.push(...writeEntry([key], value, 0, formOf(key, value)));
  }
  for (const [key, value] of Object.entries(top)) {
    if (key.startsWith('x-') && value !== undefined) lines.push(...writeEntry([key], value, 0));
  }
  // The services come last, whatever the order of the reference: a field after a hundred lines of them is not seen.
  lines.push({ text: 'services:', path: ['services'] });
  services.forEach((service, index) => {
    if (index > 0 && (service.comments.length > 0 || services.length < 4)) lines.push({ text: '', path: [] });
    lines.push(...writeService(service, defaults));
  });
  return { text: lines.map(({ text }) => `${text}\n`).join(''), paths: lines.map(({ path }) => path) };
}

function writeService({ name, comments, todo, fields }: ServiceDraft, defaults: ValueMap): Line[] {
  const path = ['services', name];
  const lines = [
    ...comments.map((text) => comment(path, text, 2)),
    ...todo.map((text) => comment(path, `TODO: ${text}`, 2)),
    { text: `  ${writeKey(name)}:`, path },
  ];
  for (const key of Object.keys(SERVICE)) {
    const given = fields[key];
    // Beside a value of `defaults` everything is written: what svc-super itself would take is another value there.
    const isPlain = defaults[key] === undefined;
    const value = given !== undefined && isPlain ? tidy(key, given) : given;
    if (value === undefined || (isPlain && isDefault(SERVICE, key, value))) continue;
    if (key === 'essential' && isPlain && value === true && STARTS.every((one) => fields[one] === undefined)) continue;
    lines.push(...writeEntry([...path, key], value, 4, formOf(key, value)));
  }
  return lines;
}

function comment(path: readonly string[], text: string, indent: number): Line {
  return { text: `${' '.repeat(indent)}# ${printable(text)}`.trimEnd(), path };
}

/** Variables stand below each other if there are several. */
function formOf(key: string, value: Value): MapForm {
  return key === 'env' && isMap(value) && pairsOf(value).length > 1 ? 'block' : 'flow';
}

function isDefault(table: Fields, key: string, value: Value): boolean {
  const { written } = table[key] ?? {};
  return written !== undefined && JSON.stringify(written) === JSON.stringify(value);
}

/** The shortest form of a value: without defaults inside, and a word where a map holds nothing else. */
function tidy(key: string, value: Value): Value | undefined {
  const lean = withoutDefaults(key, value);
  if (key === 'restart') {
    const policy = isMap(lean) ? (lean.policy ?? 'never') : lean;
    if (!isMap(lean) || Object.keys(lean).every((one) => one === 'policy'))
      return policy === 'never' ? undefined : policy;
  }
  if (key === 'hooks' && isMap(lean)) return tidyHooks(lean);
  if (key === 'env_file' && Array.isArray(lean) && lean.length === 1) return lean[0] as Value;
  if (!isMap(lean)) return lean;
  const keys = pairsOf(lean).map(([one]) => one);
  if (keys.length === 0 && NESTED[key] !== undefined) return undefined;
  if (key === 'stop' && keys.length === 1 && lean.signal !== undefined) return lean.signal;
  return lean;
}

/** A hook that is only a command is written as one. */
function tidyHooks(hooks: ValueMap): ValueMap {
  const tidied = pairsOf(hooks).map(([key, hook]): [string, Value] => {
    const only = isMap(hook) && Object.keys(hook).length === 1 ? hook.command : undefined;
    return [key, only ?? hook];
  });
  return Object.fromEntries(tidied);
}

function withoutDefaults(path: string, value: Value): Value {
  const table = NESTED[path];
  if (!isMap(value) || table === undefined) return value;
  const ordered = Object.keys(table).filter((key) => value[key] !== undefined);
  const others = Object.keys(value).filter((key) => !Object.hasOwn(table, key));
  const kept = [...ordered, ...others].flatMap((key): [string, Value][] => {
    const inner = withoutDefaults(`${path}.${key}`, value[key] as Value);
    const isEmpty = isMap(inner) && pairsOf(inner).length === 0 && NESTED[`${path}.${key}`] !== undefined;
    return isEmpty || (isDefault(table, key, inner) && key !== 'policy') ? [] : [[key, inner]];
  });
  return Object.fromEntries(kept);
}
