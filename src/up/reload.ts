// Reads the configuration again: the whole file is checked before anything changes, and a wrong one changes nothing. Part of
// the root, like up.ts, which it serves.
import { type Failure, renderDiagnostics, toJson } from '../config/diagnostic.ts';
import type { Reloaded } from '../control/source.ts';
import type { PortHolder } from '../linux/listeners.ts';
import { difference, FIELD_NAMES, restartFields } from '../plan/difference.ts';
import { loadPlan } from '../plan/expand.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { Plan } from '../plan/plan.ts';
import type { Files } from '../ports.ts';
import type { Announcement, Engine } from '../runtime/engine.ts';
import { printable } from '../text.ts';
import { renderDoubt } from './configuration.ts';
import { findNewlyTaken, type HolderFor } from './ports.ts';

export interface ReloadParts {
  readonly file: string;
  readonly names: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Files;
  /** Looks for GPUs. */
  readonly gpus: () => Inventory;
  readonly engine: Engine;
  announce(announcement: Announcement): void;
  /** The process that listens on a port; null: none. */
  findHolder(port: number): PortHolder | null;
  /** The service of each process that belongs to one. */
  owners(): ReadonlyMap<number, string>;
  /** Told of the new plan before it is in force. */
  prepare(plan: Plan): void;
}

/** One reload, by HUP or through the API. What is wrong is announced, and returned for the client. */
export function reload(parts: ReloadParts, how: 'apply' | 'dry-run'): Reloaded {
  const { file, names, environment, files, gpus, engine, announce } = parts;
  const before = engine.world.target;
  const loaded = loadPlan({ path: file, names, environment, files, gpus, before });
  if (!loaded.ok) {
    const text = renderDiagnostics(loaded.error);
    if (how === 'apply') for (const announcement of refusals(loaded.error)) announce(announcement);
    return { ok: false, diagnostics: loaded.error.diagnostics.map(toJson), text };
  }
  const { plan, warnings } = loaded.value;
  // Of services that an earlier reload took out, some may still be stopping.
  const ours = [...before.services, ...engine.world.plan.services].flatMap(({ ports }) => ports);
  const taken = findNewlyTaken(new Set(ours), plan, holderFor(parts)).map(
    ({ service, port, holder }) => `port ${port} of ${service} is taken by ${holder}: nothing was changed`,
  );
  if (taken.length > 0) {
    if (how === 'apply') {
      for (const text of taken) announce({ level: 'error', service: null, event: 'reload-refused', text });
    }
    return { ok: false, diagnostics: [], text: taken.map((text) => `svc-super: ${printable(text)}\n`).join('') };
  }
  const changes = describe(before, plan);
  if (how === 'dry-run') return { ok: true, ...changes };
  for (const warning of warnings)
    announce({ level: 'warn', service: null, event: 'doubtful', text: renderDoubt(warning) });
  if (JSON.stringify(before.control) !== JSON.stringify(plan.control)) {
    const text = '`control` has changed: that is in force when the supervisor starts again';
    announce({ level: 'warn', service: null, event: 'not-reloaded', text });
  }
  parts.prepare(plan);
  engine.send({ type: 'plan-changed', plan });
  return { ok: true, ...changes };
}

/** Ports that our services name are not asked about; what else a service holds, it may name at any time. */
function holderFor({ findHolder, owners }: ReloadParts): HolderFor {
  return (port, service) => {
    const holder = findHolder(port);
    if (holder === null) return null;
    const owner = holder.pid === null ? undefined : owners().get(holder.pid);
    if (owner === service) return null;
    return owner === undefined
      ? holder.text
      : `${holder.text} of ${owner}, which has to name it first (\`port: ${port}\`)`;
  };
}

function describe(before: Plan, after: Plan) {
  const { changed, ...rest } = difference(before, after);
  const old = new Map(before.services.map((service) => [service.name, service]));
  const fresh = new Map(after.services.map((service) => [service.name, service]));
  return {
    ...rest,
    changed: changed.map(({ name, fields }) => {
      const [from, to] = [old.get(name), fresh.get(name)];
      const restarts = from !== undefined && to !== undefined && restartFields(from, to).length > 0;
      return { name, fields: [...new Set(fields.map((field) => FIELD_NAMES[field]))], restarts };
    }),
  };
}

/** As many complaints as a log is told of. */
const TOLD = 10;

function refusals({ diagnostics }: Failure): Announcement[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const said = errors.slice(0, TOLD).map(({ file, range, message, suggestion }): Announcement => {
    const advice = suggestion === undefined ? '' : ` (${suggestion})`;
    const text = `${file}:${range.line}:${range.column}: ${message}${advice}`;
    return { level: 'error', service: null, event: 'reload-refused', text };
  });
  const text = `the configuration is wrong in ${errors.length} ${errors.length === 1 ? 'place' : 'places'}: nothing was changed`;
  return [...said, { level: 'error', service: null, event: 'reload-refused', text }];
}
