// The process that a command becomes: its arguments, environment, folder and attributes, as one value that every folder passes
// on whole, and the way in which it ends. A new attribute is added here, in the table of fields (src/config/schema.ts) and
// where it is applied (src/pid1/protocol.ts, native/spawn.c); tsc reports what is missing. Pure.
import type { ServiceConfig } from '../config/config.ts';
import type { Limit, LimitName } from '../linux/limits.ts';

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, including the primary group. */
  readonly groups: readonly number[];
  /** Login name and home from the password file; null: it has no entry. */
  readonly name: string | null;
  readonly home: string | null;
}

/** The limit of the cgroup of one service. */
export interface MemoryLimit {
  readonly bytes: number;
  /** Whether all processes of the cgroup end when it is reached. */
  readonly oomGroup: boolean;
  /** The name of the service. */
  readonly group: string;
}

/** What the kernel keeps for a process and its children inherit. null: as PID 1 has it. */
export interface ProcessAttributes {
  readonly user: User | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  /** Processor numbers, ascending. */
  readonly cpus: readonly number[] | null;
  readonly limits: Readonly<Partial<Record<LimitName, Limit>>>;
  /** The limit of a cgroup of its own; null: it is in the cgroup of PID 1. */
  readonly memory: MemoryLimit | null;
}

/** The key in services.yaml for each attribute. */
export const ATTRIBUTE_NAMES = {
  user: 'user',
  umask: 'umask',
  nice: 'nice',
  oomScoreAdj: 'oom_score_adj',
  cpus: 'cpus',
  limits: 'limits',
  memory: 'memory_limit',
} as const satisfies Readonly<Record<keyof ProcessAttributes, string>>;

/** Everything that PID 1 needs to know about a process to start it, apart from its descriptors. */
export interface ProcessSpec {
  /** Never empty. A command as text is already `['/bin/sh', '-c', text]`. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** null: the folder of PID 1. */
  readonly cwd: string | null;
  readonly attributes: ProcessAttributes;
}

/** How a main process ended, as wait(2) reports it. */
export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string; readonly number: number };

export function toAttributes(
  { umask, nice, oom_score_adj, cpus, limits }: ServiceConfig,
  user: User | null,
  memory: MemoryLimit | null,
): ProcessAttributes {
  return { user, umask, nice, oomScoreAdj: oom_score_adj, cpus, limits: Object.fromEntries(limits), memory };
}

/** Another process with the folder, attributes and environment of `spec`: a hook, a probe, a stop command, a run. */
export function deriveProcess(
  spec: ProcessSpec,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ProcessSpec {
  return { argv, env: { ...spec.env, ...env }, cwd: spec.cwd, attributes: spec.attributes };
}
