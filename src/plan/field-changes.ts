// How the fields of a service differ between two plans: the old and the new value of each, as in services.yaml. For display only:
// nothing is decided by it. Never shows a secret. Pure.
import { formatDuration } from '../config/quantity.ts';
import { FIELD_NAMES, readField, type ServiceField } from './difference.ts';
import type { Edge, ServicePlan } from './plan.ts';
import { hidePasswords, isSecretName } from './secrets.ts';

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
const HIDDEN = '***';
/** The path of a header of a probe within `ready` and `live`: `0.headers.Authorization`. Any header may be a secret. */
const HEADER = /^\d+\.headers\./;

/** The differences of one service. `fields`: the fields that differ (`Difference.changed`). The order of the result is not defined. */
export function fieldChanges(
  before: ServicePlan,
  after: ServicePlan,
  fields: readonly ServiceField[],
): readonly FieldChange[] {
  return fields.flatMap((field): readonly FieldChange[] => {
    const name = FIELD_NAMES[field];
    const [from, to] = [before, after].map((plan) => flatten(field, plan));
    const paths = new Set([...(from?.keys() ?? []), ...(to?.keys() ?? [])]);
    return [...paths]
      .map((path) => ({
        field: path === '' ? name : `${name}.${path}`,
        from: from?.get(path) ?? null,
        to: to?.get(path) ?? null,
        isHidden: field === 'env' ? isSecret(path, before, after) : HEADER.test(path),
      }))
      .filter((change) => change.from !== change.to)
      .map(({ isHidden, ...change }) => (isHidden ? hide(change) : shorten(change)));
  });
}

function isSecret(name: string, before: ServicePlan, after: ServicePlan): boolean {
  return isSecretName(name) || before.secrets.includes(name) || after.secrets.includes(name);
}

function hide({ field, from, to }: FieldChange): FieldChange {
  return { field, from: from === null ? null : HIDDEN, to: to === null ? null : HIDDEN };
}

function shorten({ field, from, to }: FieldChange): FieldChange {
  const cut = (value: string | null): string | null => {
    const shown = value === null ? null : hidePasswords(value);
    return shown !== null && shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown;
  };
  return { field, from: cut(from), to: cut(to) };
}

/** The values of a field by their paths within it; '' is the field itself. */
function flatten(field: ServiceField, plan: ServicePlan): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (field === 'argv') found.set('', commandText(plan.argv));
  else if (field === 'edges') for (const edge of plan.edges) found.set(edge.on, conditionText(edge));
  // Their values come from `env`.
  else if (field !== 'secrets' && field !== 'envRecipe') collect('', field, readField(plan, field), found);
  return found;
}

function collect(path: string, key: string, value: unknown, found: Map<string, string>): void {
  if (value === null || value === undefined) return;
  if (typeof value === 'object' && !(Array.isArray(value) && value.every((one) => typeof one !== 'object'))) {
    for (const [name, inner] of Object.entries(value))
      collect(path === '' ? snake(name) : `${path}.${snake(name)}`, name, inner, found);
    return;
  }
  if (Array.isArray(value)) found.set(path, key === 'argv' ? commandText(value) : JSON.stringify(value));
  else if (typeof value === 'number' && DURATIONS.has(key)) found.set(path, formatDuration(value));
  else found.set(path, String(value));
}

/** `start_interval` for `startInterval`. Leaves other names as they are: variables, signals, services. */
function snake(name: string): string {
  return /^[a-z]+(?:[A-Z][a-z]+)+$/.test(name)
    ? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : name;
}

/** The text of a command that `/bin/sh -c` runs; any other command as a list. */
function commandText(argv: readonly string[]): string {
  const [shell, flag, text = '', ...rest] = argv;
  const isText = shell === '/bin/sh' && flag === '-c' && rest.length === 0;
  return isText ? text.replace(/^exec /, '') : JSON.stringify(argv);
}

function conditionText({ condition, restarts, choice }: Edge): string {
  return [condition, ...(choice === undefined ? [] : [`any: ${choice.least}`]), ...(restarts ? ['restart'] : [])].join(
    ', ',
  );
}
