// What the fake services of a Simulator do: how long a start takes, when a run ends, what its probes and hooks come to.
import type { ProbeKind } from '../../src/core/event.ts';
import type { HookName } from '../../src/core/run.ts';
import type { GpuReading } from '../../src/plan/gpu-reading.ts';
import type { Millis } from '../../src/plan/plan.ts';
import type { Exit } from '../../src/plan/process.ts';

export interface Asked {
  readonly kind: ProbeKind;
  readonly index: number;
  readonly attempt: number;
  /** Time since the program's first instruction. */
  readonly age: Millis;
}

export interface Answer {
  readonly ok: boolean;
  readonly detail?: string;
  readonly after?: Millis;
}

/** What one run of a fake service does. An empty one keeps running, passes every probe, and dies of its stop signal at once. */
export interface Behaviour {
  readonly spawnTakes?: Millis;
  readonly spawnFails?: { readonly step: string; readonly message: string; readonly code: number };
  /** Ends by itself, so long after its first instruction. */
  readonly ends?: { readonly after: Millis; readonly exit: Exit };
  /** Time from being asked to stop to its end; null: it ignores that. */
  readonly stopTakes?: Millis | null;
  readonly stopExit?: Exit;
  /** Its stop.command comes to nothing, so much later. */
  readonly stopCommandFails?: Millis;
  /** Processes beside the main one: how long each takes to die of SIGTERM; null: it ignores that. */
  readonly others?: readonly (Millis | null)[];
  /** Time from SIGKILL to the end of all its processes; null: they sit in uninterruptible sleep. */
  readonly killTakes?: Millis | null;
  /** The result of an attempt; null: none ever comes. Results come even when the attempt was abandoned. */
  readonly probe?: (asked: Asked) => Answer | null;
  readonly latches?: readonly { readonly index: number; readonly after: Millis }[];
  readonly output?: readonly Millis[];
  /** What its hooks do; one that is not here succeeds at once. */
  readonly hooks?: { readonly [hook in HookName]?: HookBehaviour };
  /** What is read of its GPUs at that instant; null: nothing, ever. */
  readonly memory?: (at: Millis) => GpuReading | null;
}

/** `takes`: null is for ever; `killTakes`: from SIGKILL to the end of it and all it started. */
export interface HookBehaviour {
  readonly takes?: Millis | null;
  readonly code?: number;
  readonly killTakes?: Millis;
}

export type Behave = (service: string, run: number) => Behaviour;

/** Probes hold from this age on, and fail with `refused` before. */
export function readyFrom(age: Millis): (asked: Asked) => Answer {
  return (asked) => (asked.age >= age ? { ok: true, detail: 'fine' } : { ok: false, detail: 'refused' });
}
