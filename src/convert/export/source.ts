// What an export reads: services.yaml as a Config with its probes, hooks and edges, without anything that only the container
// has (environment files, users, secrets, GPUs). Reads no file; starts nothing.
import { toArgv } from '../../config/command.ts';
import type { Config, ServiceConfig } from '../../config/config.ts';
import { type Diagnostic, type Failure, type Result, sortDiagnostics } from '../../config/diagnostic.ts';
import { parseDraft } from '../../config/load.ts';
import { parseTree } from '../../config/parse.ts';
import { makeReading } from '../../config/reading.ts';
import { locateKey, makeSource, type PathStep } from '../../config/tree.ts';
import { basename } from '../../paths.ts';
import { toEdges } from '../../plan/edges.ts';
import { nameOf } from '../../plan/expand.ts';
import { toHooks } from '../../plan/hooks.ts';
import type { Edge, Hooks, Probe } from '../../plan/plan.ts';
import { toProbes } from '../../plan/probes.ts';
import { makeProblems } from '../../plan/problems.ts';
import {
  findReferences,
  keptReferences,
  mark,
  placeholder,
  type Reference,
  requiredNames,
  STAND_INS,
} from './variables.ts';

/** A service, or one copy of it. */
export interface ExportService {
  readonly name: string;
  /** Its key in the file: the name without the number of a copy. */
  readonly key: string;
  readonly config: ServiceConfig;
  /** Whether it starts by itself with the defaults of the file, or because a service that starts by itself needs it. */
  readonly isStarted: boolean;
  /** Why it does not start by itself; null: it does. */
  readonly whyNot: 'enabled' | 'start' | 'profiles' | null;
  /** Whether `enabled` contains a variable, so that it is known in the container only. */
  readonly isConditional: boolean;
  /** A text command is `['/bin/sh', '-c', text]`. */
  readonly argv: readonly string[];
  readonly ready: readonly Probe[];
  readonly live: readonly Probe[];
  readonly hooks: Hooks;
  /** From `depends_on` and from the order of stages. */
  readonly edges: readonly Edge[];
}

export interface ExportSource {
  /** The file's name without its folder; `services.yaml` for a name that a Dockerfile would have to quote. */
  readonly fileName: string;
  readonly text: string;
  readonly config: Config;
  /** `name`, or the name of the file's folder. */
  readonly name: string;
  /** In the order of the file; services that are not enabled are included. */
  readonly services: readonly ExportService[];
  /** Stages in their order. */
  readonly groups: readonly string[];
  readonly references: readonly Reference[];
  /** Variables without a default, and the value that stands for each in the output. */
  readonly assumed: ReadonlyMap<string, string>;
  /** References with a default that the output keeps, by the name of the variable. */
  readonly kept: ReadonlyMap<string, string>;
  /** Whether the file contains a field, in its service or in `defaults`. */
  has(path: readonly PathStep[]): boolean;
}

/** The first copy of each service. */
export function withoutCopies(services: readonly ExportService[]): readonly ExportService[] {
  const keys = new Set<string>();
  return services.filter(({ key }) => !keys.has(key) && keys.add(key));
}

/**
 * Reads a services.yaml whose text is at hand. `path` is what diagnostics call it. With `keep` the values contain marks
 * (variables.ts) for references, where nothing reads a part of the value.
 */
export function readSource(path: string, text: string, keep?: 'references'): Result<ExportSource, Failure> {
  const root = parseTree(text, makeReading(makeSource(path, text), {}, []));
  const references = root === null ? [] : findReferences(root);
  const assumed = new Map(requiredNames(references).map((name) => [name, placeholder(name)]));
  const kept = keep === undefined ? null : keptReferences(references);
  const draft = parseAssuming(path, text, assumed, kept);
  const { config, sources } = draft;
  if (config === null || root === null) return fail(draft.diagnostics, sources);
  const complaints = makeProblems(config);
  const { edges, stages, groups } = toEdges(config, complaints);
  const conditional = conditionalKeys(references);
  const isConditional = (key: string): boolean =>
    conditional.has(key) || (conditional.has(null) && locateKey(root, ['services', key, 'enabled']) === null);
  const reasons = reasonsNotToStart(config.services, edges);
  const services = config.services.map(
    (service): ExportService => ({
      name: service.name,
      key: service.key,
      config: service,
      isStarted: (reasons.get(service.name) ?? null) === null,
      whyNot: reasons.get(service.name) ?? null,
      isConditional: isConditional(service.key),
      argv: toArgv(service.command ?? ['']),
      ready: toProbes(service, 'ready', complaints),
      live: toProbes(service, 'live', complaints),
      hooks: toHooks(service, complaints),
      edges: [...(edges.get(service.name) ?? []), ...(stages.get(service.name) ?? [])],
    }),
  );
  const diagnostics = [...draft.diagnostics, ...complaints.all];
  if (diagnostics.some(({ severity }) => severity === 'error')) return fail(diagnostics, sources);
  const has = (at: readonly PathStep[]): boolean =>
    locateKey(root, at) !== null || locateKey(root, inDefaults(at)) !== null;
  return {
    ok: true,
    value: {
      fileName: safeName(basename(path)),
      text,
      config,
      name: nameOf(config),
      services,
      groups,
      references,
      assumed,
      kept: kept ?? new Map(),
      has,
    },
  };
}

/**
 * Why services do not start by themselves. What a service that starts depends on starts too, unless it is not
 * enabled: also if its profile is off, which `up` refuses until the profile is on.
 */
function reasonsNotToStart(
  services: readonly ServiceConfig[],
  edges: ReadonlyMap<string, readonly Edge[]>,
): ReadonlyMap<string, ExportService['whyNot']> {
  const reasons = new Map(
    services.map(({ name, enabled, start, profiles }): [string, ExportService['whyNot']] => {
      if (!enabled) return [name, 'enabled'];
      if ((profiles ?? []).length > 0) return [name, 'profiles'];
      return [name, start === 'manual' ? 'start' : null];
    }),
  );
  const starting = new Set(services.map(({ name }) => name).filter((name) => reasons.get(name) === null));
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of starting) {
    for (const { on } of edges.get(name) ?? []) {
      if (reasons.get(on) === 'enabled') continue;
      reasons.set(on, null);
      starting.add(on);
    }
  }
  return reasons;
}

/**
 * Reads the text; a variable whose placeholder is refused, in a number for example, gets a value that is accepted. With `kept`
 * marks stand for the references that the output keeps.
 */
function parseAssuming(
  path: string,
  text: string,
  assumed: Map<string, string>,
  kept: ReadonlyMap<string, string> | null,
): ReturnType<typeof parseDraft> {
  const { lines } = makeSource(path, text);
  const offsetOf = (line: number, column: number): number => (lines[line - 1] ?? 0) + column - 1;
  const parse = (): ReturnType<typeof parseDraft> => {
    const isReference = (name: string): boolean => kept !== null && assumed.get(name) === placeholder(name);
    const required = [...assumed].map(([name, stand]) => [name, isReference(name) ? mark(name) : stand]);
    return parseDraft(
      path,
      text,
      Object.fromEntries([...[...(kept?.keys() ?? [])].map((name) => [name, mark(name)]), ...required]),
    );
  };
  let draft = parse();
  for (const stand of STAND_INS) {
    const refused = draft.diagnostics.map(({ range: { line, column, endLine, endColumn } }) =>
      text.slice(offsetOf(line, column), offsetOf(endLine, endColumn)),
    );
    const names = [...assumed.keys()].filter((name) => refused.some((part) => refersTo(part, name)));
    if (names.length === 0) return draft;
    for (const name of names) assumed.set(name, stand);
    draft = parse();
  }
  return draft;
}

/** Whether a text has a reference to the variable. */
function refersTo(text: string, name: string): boolean {
  return text.includes(`\${${name}}`) || text.includes(`\${${name}:`);
}

function fail(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): Result<never, Failure> {
  return { ok: false, error: { diagnostics: sortDiagnostics(diagnostics), sources } };
}

/** The services whose `enabled` has a reference; null: `enabled` of `defaults` has one. */
function conditionalKeys(references: readonly Reference[]): ReadonlySet<string | null> {
  return new Set(
    references.flatMap(({ path: [first, second, third] }) => {
      if (first === 'defaults' && second === 'enabled') return [null];
      return first === 'services' && third === 'enabled' ? [String(second)] : [];
    }),
  );
}

const safeName = (name: string): string => (/^[\w.@+-]+$/.test(name) ? name : 'services.yaml');

const inDefaults = (path: readonly PathStep[]): readonly PathStep[] =>
  path[0] === 'services' && path.length > 2 ? ['defaults', ...path.slice(2)] : path;
