// What a start script has set up so far, while it is read from top to bottom: variables, folder, functions, what the next
// command has to wait for. Each service takes a copy of it when it is made.
import type { ServiceDraft } from '../services-yaml.ts';
import { literal } from '../words.ts';
import type { Value } from '../yaml-values.ts';
import type { Names } from './names.ts';
import { hasPort } from './shell-names.ts';
import { needsBash, type Scan, type ShellScript, type SyntaxNode, scan } from './shell-script.ts';
import type { Watchdog } from './shell-waits.ts';
import type { Report } from './source.ts';

/** Source that has to be repeated before a command that needs what it sets. */
interface Preamble {
  readonly text: string;
  readonly scan: Scan;
  /** The name of the function that it defines; null: it is no function. */
  readonly defines: string | null;
  /** Every later command needs it: it exports variables. */
  readonly always: boolean;
}

/** A service made of the script. */
export interface Unit {
  readonly service: ServiceDraft;
  kind: 'background' | 'task' | 'main';
  readonly words: readonly string[];
  /** Its exported variables with known values. */
  readonly env: ReadonlyMap<string, Value>;
}

/**
 * How the script ends, and with it the container. `first`: when one of its programs in the background ends; `all`: when all have
 * ended. `only`: these programs count; null: all of them. `main`: with its last program, which runs in the foreground. `idle`: never
 * by itself, as after `sleep infinity`. `none`: at once, because nothing waits.
 */
export type ScriptEnd =
  | { readonly kind: 'first' | 'all'; readonly only: readonly Unit[] | null }
  | { readonly kind: 'main' | 'idle' | 'none' };

/** So many services are searched for a port that no option names. */
const RECENT = 50;

export class ShellState {
  readonly script: ShellScript;
  readonly report: Report;
  readonly names: Names;
  readonly units: Unit[] = [];
  /** Exported variables. */
  readonly env = new Map<string, Value>();
  /** All variables of the script; null: computed. */
  readonly known = new Map<string, string | null>();
  readonly functions = new Map<string, SyntaxNode>();
  readonly #preamble: Preamble[] = [];
  readonly #ports = new Map<number, Unit>();
  /** `$!` that was saved, by variable. */
  readonly pids = new Map<string, Unit>();
  /** Loops that ask a service, which may come later, and end it. */
  readonly watchdogs: { readonly node: SyntaxNode; readonly watchdog: Watchdog }[] = [];
  barrier = new Map<string, string>();
  cwd: string | null = null;
  venv: string | null = null;
  umask: string | null = null;
  limits: Record<string, Value> = {};
  enabled: string | null = null;
  setE = false;

  constructor(script: ShellScript, report: Report, names: Names) {
    this.script = script;
    this.report = report;
    this.names = names;
  }

  /** Keeps shell text that later commands may need before them. */
  remember(node: SyntaxNode, defines: string | null = null): void {
    const text = this.script.text(node);
    const found = scan(node, text);
    this.#preamble.push({ text, scan: found, defines, always: found.exports && defines === null });
    if (defines === null) for (const name of found.assigned) this.known.set(name, null);
  }

  /**
   * Drops the kept shell text that computed a variable, because its value is known now. Returns false, and drops nothing, if other
   * kept text needs the variable or if that text computes more variables. Returns true if there was none.
   */
  supersede(name: string): boolean {
    const computed = this.#preamble.filter((one) => one.defines === null && one.scan.assigned.has(name));
    const isNeeded = this.#preamble.some((one) => !computed.includes(one) && one.scan.referenced.has(name));
    if (computed.length === 0) return true;
    if (isNeeded || computed.some((one) => one.scan.assigned.size > 1)) return false;
    for (const one of computed) this.#preamble.splice(this.#preamble.indexOf(one), 1);
    return true;
  }

  /** The kept shell text that a command needs before it, in order. */
  preambleFor(node: SyntaxNode, text: string): readonly string[] {
    const own = scan(node, text);
    const names = new Set([...own.referenced, ...own.called, ...own.assigned]);
    const chosen = new Set<Preamble>();
    for (let grown = true; grown; ) {
      grown = false;
      for (const one of this.#preamble) {
        const isNeeded =
          one.defines === null
            ? one.always || [...one.scan.assigned].some((name) => names.has(name))
            : names.has(one.defines);
        if (chosen.has(one) || !isNeeded) continue;
        chosen.add(one);
        grown = true;
        for (const name of [...one.scan.referenced, ...one.scan.called, ...one.scan.assigned]) names.add(name);
      }
    }
    return this.#preamble.filter((one) => chosen.has(one)).map(({ text: source }) => source);
  }

  /** A shell text as a command: for `/bin/sh`, or for the script's own shell where it has features of Bash. */
  command(text: string): Value {
    const { ownShell } = this.script;
    return ownShell !== null && needsBash(text) ? [ownShell, '-c', literal(text)] : text;
  }

  /** Adds a service with all that is set up, and returns it. */
  add(unit: Omit<Unit, 'env'>): Unit {
    const { fields } = unit.service;
    const depends = Object.fromEntries([...this.barrier].filter(([name]) => name !== unit.service.name));
    if (Object.keys(depends).length > 0) fields.depends_on = depends;
    if (this.cwd !== null && fields.cwd === undefined) fields.cwd = this.cwd;
    if (this.venv !== null) fields.venv = this.venv;
    if (this.umask !== null) fields.umask = this.umask;
    if (this.enabled !== null) fields.enabled = this.enabled;
    if (Object.keys(this.limits).length > 0) fields.limits = { ...this.limits };
    const added = { ...unit, env: new Map(this.env) };
    this.units.push(added);
    if (added.kind === 'background' && typeof fields.port === 'number') this.#ports.set(fields.port, added);
    return added;
  }

  get lastBackground(): Unit | undefined {
    return this.units.findLast(({ kind }) => kind === 'background');
  }

  /** The last service that runs beside the script and listens on a port, or names it in its command; null: there is none. */
  findByPort(port: number): Unit | null {
    const listens = this.#ports.get(port);
    if (listens !== undefined) return listens;
    const recent = this.units.slice(-RECENT).filter(({ kind }) => kind === 'background');
    return recent.findLast(({ words }) => hasPort(words, port)) ?? null;
  }
}

/** Adds a probe to those that a service has. */
export function addProbe(fields: ServiceDraft['fields'], role: 'ready' | 'live', probe: Value): void {
  const before = fields[role];
  if (before === undefined) fields[role] = probe;
  else fields[role] = [...(Array.isArray(before) ? (before as Value[]) : [before]), probe];
}

/** Variables that all services have go to the top of the file; the others to their service. */
export function placeEnvironment(units: readonly Unit[]): Readonly<Record<string, Value>> {
  const [first, ...rest] = units;
  const shared = new Map<string, Value>();
  for (const [name, value] of first?.env ?? []) {
    const isOverridden = units.some(({ service }) => Object.hasOwn((service.fields.env ?? {}) as object, name));
    if (!isOverridden && rest.every(({ env }) => env.get(name) === value)) shared.set(name, value);
  }
  for (const { service, env } of units) {
    const own = [...env].filter(([name]) => !shared.has(name));
    const given = (service.fields.env ?? {}) as Readonly<Record<string, Value>>;
    const merged = { ...Object.fromEntries(own), ...given };
    if (Object.keys(merged).length > 0) service.fields.env = merged;
  }
  return Object.fromEntries(shared);
}
