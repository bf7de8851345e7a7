// Reloads the configuration: checks the whole file before it changes anything. An invalid file changes nothing.
import { type Failure, renderDiagnostics, toJson } from '../config/diagnostic.ts';
import type { Change, ReloadAction, Reloaded, ScaleOutcome } from '../control/source.ts';
import type { Service } from '../core/state.ts';
import type { PortHolder } from '../linux/listeners.ts';
import type { Announcement } from '../messages/announcement.ts';
import { difference, FIELD_NAMES, isEqual, restartFields } from '../plan/difference.ts';
import { loadPlan } from '../plan/expand.ts';
import { fieldChanges } from '../plan/field-changes.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { Plan, ScaledService, ServicePlan } from '../plan/plan.ts';
import { readRunEnvironment } from '../plan/run-environment.ts';
import type { Files } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';
import { printable, renderCount } from '../text.ts';
import { renderDoubt } from './configuration.ts';
import { findNewlyTaken, type HolderFor } from './ports.ts';

interface ReloadParts {
  readonly names: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Files;
  /** Finds the GPUs of the container. */
  readonly gpus: () => Inventory;
  /** Why the kernel cannot limit the memory of a service; null: it can. */
  readonly limitMemory: () => string | null;
  readonly engine: Engine;
  announce(announcement: Announcement): void;
  /** The process that listens on a port; null: none. */
  findHolder(port: number): PortHolder | null;
  /** The service of each process of a run, by PID. */
  owners(): ReadonlyMap<number, string>;
  /** A service with the environment of its latest run. */
  ofRun(service: ServicePlan): ServicePlan;
  /** Called with the new plan before it takes effect. */
  prepare(plan: Plan): void;
}

/**
 * Performs one reload, by SIGHUP or through the API. Returns what changes, or why nothing does. A refusal is also announced, unless
 * it is of a dry run or of a new number of replicas, whose client reports it. `scale`: only a number of replicas changes; if the
 * file has other changes, nothing does.
 */
export function performReload(
  parts: ReloadParts,
  how: 'apply' | 'dry-run',
  scale: ScaledService | null = null,
): Reloaded {
  const { names, environment, files, gpus, limitMemory, engine, announce } = parts;
  const before = engine.world.target;
  const { file: path, more = [], profiles = [] } = before;
  const asked = scale === null ? {} : { [scale.service]: scale.replicas };
  const loaded = loadPlan({ path, more, profiles, names, environment, files, gpus, limitMemory, before, scale: asked });
  if (!loaded.ok) {
    const text = renderDiagnostics(loaded.error);
    if (how === 'apply' && scale === null) for (const announcement of refusals(loaded.error)) announce(announcement);
    return { ok: false, diagnostics: loaded.error.diagnostics.map(toJson), text };
  }
  const { warnings } = loaded.value;
  const plan = keepEnvironments(before, loaded.value.plan, parts);
  // Services that an earlier reload removed may still be stopping.
  const ours = [...before.services, ...engine.world.plan.services].flatMap(({ ports }) => ports);
  const taken = findNewlyTaken(new Set(ours), plan, holderFor(parts)).map(
    ({ service, port, holder }) => `port ${port} of ${service} is taken by ${holder}: nothing was changed`,
  );
  if (taken.length > 0) {
    if (how === 'apply' && scale === null) {
      for (const text of taken) announce({ level: 'error', service: null, event: 'reload-refused', text });
    }
    return { ok: false, diagnostics: [], text: taken.map((text) => `svc-super: ${printable(text)}\n`).join('') };
  }
  const changes = { ...describe(before, plan, engine.world.services), scale: outcomesOf(before, plan, scale) };
  const others = scale === null ? [] : otherChanges(scale.service, before, plan);
  if (others.length > 0) {
    // One line without a prefix: the only refusal that is sent as the error of a response.
    const text = `nothing was changed: the file has other changes, which only a reload applies: ${others.join(', ')}`;
    return { ok: false, diagnostics: [], text, isOther: true };
  }
  if (how === 'dry-run') return { ok: true, ...changes };
  for (const warning of warnings)
    announce({ level: 'warn', service: null, event: 'doubtful', text: renderDoubt(warning) });
  if (!isSameRecord(before.control, plan.control)) {
    const text = '`control` has changed: the change takes effect when the supervisor is restarted';
    announce({ level: 'warn', service: null, event: 'not-reloaded', text });
  }
  for (const outcome of changes.scale)
    announce({ level: 'info', service: null, event: 'scale', text: renderOutcome(outcome) });
  parts.prepare(plan);
  engine.send({ type: 'plan-changed', plan, ...(scale !== null && { scaled: scale }) });
  return { ok: true, ...changes };
}

/** What becomes of the numbers of replicas that were set before, apart from the one that is set now. */
function outcomesOf(before: Plan, after: Plan, scale: ScaledService | null): readonly ScaleOutcome[] {
  return Object.entries(before.scale ?? {}).flatMap(([name, { replicas }]): ScaleOutcome[] => {
    if (name === scale?.service) return [];
    const kept = after.scale?.[name];
    if (kept !== undefined) return [{ name, replicas, file: kept.file, kept: true }];
    const count = after.services.filter((service) => keyOf(service) === name).length;
    return [{ name, replicas, file: count === 0 ? null : count, kept: false }];
  });
}

function renderOutcome({ name, replicas, file, kept }: ScaleOutcome): string {
  const count = renderCount(replicas, 'replica');
  if (kept) return `${name} keeps ${count}, set by \`svc-super scale\`; the file has ${file}`;
  return file === null
    ? `${name} is no longer in the file, and ${count}, set by \`svc-super scale\`, no longer ${replicas === 1 ? 'applies' : 'apply'}`
    : `${name} has ${renderCount(file, 'replica')}, because the file has changed since \`svc-super scale\` set ${replicas}`;
}

const keyOf = ({ name, replica }: ServicePlan): string => replica?.of ?? name;

/** Compares two values as the checkpoint keeps them: without fields that are undefined. */
const isSameRecord = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The fields of a plan that the top of the file sets, and their keys there. */
const TOP_NAMES = {
  name: 'name',
  exit: 'exit',
  stopTimeout: 'stop_timeout',
  stopSignals: 'stop_signals',
  log: 'log',
  succession: 'supervisor',
  groups: 'groups',
  hosts: 'hosts',
  control: 'control',
} as const satisfies Partial<Record<keyof Plan, string>>;

/**
 * Changes that do not follow from the number of replicas of `key`: at the top of the file, of other services, except in which
 * replicas they wait for, and fields of its replicas.
 */
function otherChanges(key: string, before: Plan, after: Plan): readonly string[] {
  const { added, removed, changed } = difference(before, after);
  const keys = new Map([...before.services, ...after.services].map((service) => [service.name, keyOf(service)]));
  const isOther = (name: string) => keys.get(name) !== key;
  const top = Object.entries(TOP_NAMES) as readonly [keyof typeof TOP_NAMES, string][];
  return [
    ...top.filter(([field]) => !isSameRecord(before[field], after[field])).map(([, name]) => name),
    ...added.filter(isOther).map((name) => `${name} (new)`),
    ...removed.filter(isOther).map((name) => `${name} (removed)`),
    ...changed.flatMap(({ name, fields }) => {
      const others = fields.filter((field) => field !== 'edges');
      return others.length === 0 ? [] : [`${name} (${[...new Set(others.map((one) => FIELD_NAMES[one]))].join(', ')})`];
    }),
  ];
}

/**
 * The new plan, in which a service keeps the environment of the old one if its latest run has read what its files contain now:
 * it was restarted since they were changed, and needs no other restart.
 */
function keepEnvironments(before: Plan, after: Plan, { files, ofRun }: ReloadParts): Plan {
  if (after.services.every(({ envRecipe }) => envRecipe === undefined)) return after;
  const old = new Map(before.services.map((service) => [service.name, service]));
  const services = after.services.map((service) => {
    const earlier = old.get(service.name);
    if (service.envRecipe === undefined || earlier?.envRecipe === undefined) return service;
    if (!isEqual(service.envRecipe.sources, earlier.envRecipe.sources)) return service;
    const { env, failure } = readRunEnvironment(service, files);
    if (failure !== null || !isEqual(env, ofRun(earlier).env)) return service;
    return { ...service, env: earlier.env, envRecipe: earlier.envRecipe };
  });
  return { ...after, services };
}

/**
 * The function is not called for ports that our services list. A port that a service listens on without listing it is taken for
 * every other service, but not for that service.
 */
function holderFor({ findHolder, owners }: ReloadParts): HolderFor {
  return (port, service) => {
    const holder = findHolder(port);
    if (holder === null) return null;
    const owner = holder.pid === null ? undefined : owners().get(holder.pid);
    if (owner === service) return null;
    return owner === undefined ? holder.text : `${holder.text} of ${owner}, which does not list it (\`port: ${port}\`)`;
  };
}

function describe(before: Plan, after: Plan, services: ReadonlyMap<string, Service>) {
  const { changed, ...rest } = difference(before, after);
  const old = new Map(before.services.map((service) => [service.name, service]));
  const fresh = new Map(after.services.map((service) => [service.name, service]));
  const isIdle = (name: string) => fresh.get(name)?.enabled !== true || fresh.get(name)?.start !== 'auto';
  return {
    ...rest,
    idle: rest.added.filter(isIdle),
    changed: changed.flatMap(({ name, fields }): Change[] => {
      const [from, to] = [old.get(name), fresh.get(name)];
      if (from === undefined || to === undefined) return [];
      const action = actionOf(from, to, services.get(name));
      const names = [...new Set(fields.map((field) => FIELD_NAMES[field]))];
      return [
        { name, fields: names, changes: fieldChanges(from, to, fields), action, restarts: action === 'restarts' },
      ];
    }),
  };
}

/** What a reload does to a service whose plan has changed; `service`: its present value. */
function actionOf(from: ServicePlan, to: ServicePlan, service: Service | undefined): ReloadAction {
  const needsRestart = restartFields(from, to).length > 0;
  if (from.enabled !== to.enabled) {
    if (!to.enabled) return 'stops';
    return to.start === 'auto' ? 'starts' : 'next-start';
  }
  if (!to.enabled) return needsRestart ? 'next-start' : 'in-place';
  if (service?.state.id === 'idle' && to.start === 'auto') return 'starts';
  if (!needsRestart) return 'in-place';
  return service?.state.id === 'idle' || service?.wanted === 'down' ? 'next-start' : 'restarts';
}

/** The most errors of a configuration that are announced. */
const ANNOUNCED = 10;

function refusals({ diagnostics }: Failure): Announcement[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const announced = errors.slice(0, ANNOUNCED).map(({ file, range, message, suggestion }): Announcement => {
    const advice = suggestion === undefined ? '' : ` (${suggestion})`;
    const text = `${file}:${range.line}:${range.column}: ${message}${advice}`;
    return { level: 'error', service: null, event: 'reload-refused', text };
  });
  const text = `the configuration is wrong in ${errors.length} ${errors.length === 1 ? 'place' : 'places'}: nothing was changed`;
  return [...announced, { level: 'error', service: null, event: 'reload-refused', text }];
}
