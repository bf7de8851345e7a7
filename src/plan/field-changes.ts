// How the fields of a service differ between two plans: the old and the new value of each, as in services.yaml. For display only:
// nothing is decided by it. Never shows a secret. Pure.
import { formatDuration } from '../config/quantity.ts';
import { FIELD_NAMES, readField, type ServiceField } from './difference.ts';
import type { Edge, SchedulePlan, ServicePlan } from './plan.ts';
import { hideInArguments, hideInCommand, hidePasswords, isSecretName } from './secrets.ts';

/** `field` is a path such as `stop.timeout`. null: there is no value. */
export interface FieldChange {
  readonly field: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** The longest value that is shown, characters. */
const LONGEST = 200;
/** Keys whose values are milliseconds. */
const DURATIONS: ReadonlySet<string> = new Set([
  ...['timeout', 'interval', 'startInterval', 'startTimeout', 'startStall', 'within', 'initial', 'leftoverTimeout'],
  ...['freeTimeout', 'jitter'],
]);
/** Maps whose keys are names from services.yaml: of variables and of headers. */
const NAMED_BY_USER: ReadonlySet<string> = new Set(['env', 'headers']);
const HIDDEN = '***';
/** The path of a header of a probe: `0.headers.Authorization`, `before_stop.wait_for.headers.x`. Any may be a secret. */
const HEADER = /(?:^|\.)headers\./;

/** The value of one path. `text` is compared, and `shown` has no secrets. */
interface Value {
  readonly text: string;
  readonly shown: string;
}

/**
 * The differences of one service. `fields`: the fields that differ (`Difference.changed`). The order of the result is not
 * defined.
 */
export function fieldChanges(
  before: ServicePlan,
  after: ServicePlan,
  fields: readonly ServiceField[],
): readonly FieldChange[] {
  return fields.flatMap((field): readonly FieldChange[] => {
    const [old, now] = [flatten(field, before), flatten(field, after)];
    const paths = [...new Set([...old.keys(), ...now.keys()])];
    return paths
      .filter((path) => old.get(path)?.text !== now.get(path)?.text)
      .map((path) => {
        const isHidden = field === 'env' ? isSecret(path, before, after) : HEADER.test(path);
        const show = (value: Value | undefined) =>
          value === undefined ? null : isHidden ? HIDDEN : shorten(value.shown);
        return { field: fieldOf(field, path), from: show(old.get(path)), to: show(now.get(path)) };
      });
  });
}

/** A field of services.yaml, with the path of the value within it. What a schedule consists of are fields of the service. */
function fieldOf(field: ServiceField, path: string): string {
  const name = FIELD_NAMES[field];
  return path === '' ? name : field === 'schedule' ? path : `${name}.${path}`;
}

function isSecret(name: string, before: ServicePlan, after: ServicePlan): boolean {
  return isSecretName(name) || before.secrets.includes(name) || after.secrets.includes(name);
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

function toValue(text: string): Value {
  return { text, shown: hidePasswords(text) };
}

/** The values of a field by their paths within it; '' is the field itself. */
function flatten(field: ServiceField, plan: ServicePlan): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  if (field === 'argv') found.set('', commandValue(plan.argv));
  else if (field === 'schedule') collect('', field, scheduleFields(plan.schedule), found);
  else if (field === 'edges') for (const edge of plan.edges) found.set(edge.on, toValue(conditionText(edge)));
  // Their values come from `env`.
  else if (field !== 'secrets' && field !== 'envRecipe') collect('', field, readField(plan, field), found);
  return found;
}

/** As in services.yaml. */
function scheduleFields(schedule: SchedulePlan | null): Readonly<Record<string, unknown>> | null {
  if (schedule === null) return null;
  const { when, ...others } = schedule;
  return when.kind === 'every'
    ? { ...others, every: formatDuration(when.interval) }
    : { ...others, schedule: when.expression, timeZone: when.timeZone };
}

/** Adds `value` and everything in it to `found`. `key`: the last part of `path` as the plan has it. */
function collect(path: string, key: string, value: unknown, found: Map<string, Value>): void {
  if (value === null || value === undefined) return;
  if (typeof value === 'object' && !(Array.isArray(value) && value.every((one) => typeof one !== 'object'))) {
    for (const [name, inner] of Object.entries(value)) {
      const step = NAMED_BY_USER.has(key) ? name : snake(name);
      collect(path === '' ? step : `${path}.${step}`, name, inner, found);
    }
    return;
  }
  if (Array.isArray(value)) found.set(path, key === 'argv' ? commandValue(value) : toValue(JSON.stringify(value)));
  else if (typeof value === 'number' && DURATIONS.has(key)) found.set(path, toValue(formatDuration(value)));
  else found.set(path, toValue(String(value)));
}

/** `start_interval` for `startInterval`, and `command` for `argv`. */
function snake(name: string): string {
  if (name === 'argv') return 'command';
  return /^[a-z]+(?:[A-Z][a-z]+)+$/.test(name)
    ? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : name;
}

/** The text of a command that `/bin/sh -c` runs; any other command as a list. */
function commandValue(argv: readonly string[]): Value {
  const [shell, flag, text = '', ...rest] = argv;
  const isText = shell === '/bin/sh' && flag === '-c' && rest.length === 0;
  if (isText) {
    const written = text.replace(/^exec /, '');
    return { text: written, shown: hideInCommand(written) };
  }
  return { text: JSON.stringify(argv), shown: JSON.stringify(hideInArguments(argv)) };
}

function conditionText({ condition, restarts, choice }: Edge): string {
  return [condition, ...(choice === undefined ? [] : [`any: ${choice.least}`]), ...(restarts ? ['restart'] : [])].join(
    ', ',
  );
}
