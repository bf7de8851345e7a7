// What PID 1 starts: the arguments, environment, folder and attributes of a process as one value, and how a process ends. Starts
// nothing. A new attribute is added here, to the table of fields (src/config/schema.ts) and where it is applied
// (src/pid1/protocol.ts, native/spawn.c); tsc reports what is missing in TypeScript. Pure.
import type { ServiceConfig } from '../config/config.ts';
import type { Limit, LimitName } from '../linux/limits.ts';

/** The user of a process, looked up when the configuration is read. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, including the primary group. */
  readonly groups: readonly number[];
  /** Login name and home from the password file; null: the user has no entry there. */
  readonly name: string | null;
  readonly home: string | null;
}

/** The memory limit of the cgroup of one service. */
export interface MemoryLimit {
  readonly bytes: number;
  /** Whether the kernel kills all processes of the cgroup at the limit, and not only one. */
  readonly oomGroup: boolean;
  /** The name of the service, after which its cgroup is named. */
  readonly group: string;
}

/** Attributes that the kernel keeps for a process and that its children inherit. null: the process has the value of PID 1. */
export interface ProcessAttributes {
  readonly user: User | null;
  readonly umask: number | null;
  readonly nice: number | null;
  readonly oomScoreAdj: number | null;
  /** Processor numbers, ascending. */
  readonly cpus: readonly number[] | null;
  readonly limits: Readonly<Partial<Record<LimitName, Limit>>>;
  /** The cgroup of its service; null: the process is in the cgroup of PID 1. */
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

/** Everything that PID 1 needs to start a process, except its descriptors. */
export interface ProcessSpec {
  /** Never empty. A command that is a text has become one of `/bin/sh -c` (toArgv in config/command.ts). */
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

/** The attributes of a service from its fields; `user` and `memory` are looked up elsewhere. */
export function toAttributes(
  { umask, nice, oom_score_adj, cpus, limits }: ServiceConfig,
  user: User | null,
  memory: MemoryLimit | null,
): ProcessAttributes {
  return { user, umask, nice, oomScoreAdj: oom_score_adj, cpus, limits: Object.fromEntries(limits), memory };
}

/**
 * A process with the folder, the attributes and the environment of `spec`, for a run, a hook, a probe or a stop command. `env`:
 * variables that are added to the environment.
 */
export function deriveProcess(
  spec: ProcessSpec,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): ProcessSpec {
  return { argv, env: { ...spec.env, ...env }, cwd: spec.cwd, attributes: spec.attributes };
}
