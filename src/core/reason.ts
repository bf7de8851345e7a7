// Why a service is not ready, as data: messages/reasons.ts makes the sentence. Types only.
import type { Edge, Millis, StartMode } from '../plan/plan.ts';
import type { Lapse, ProbeDetail } from './detail.ts';
import type { Ended, LeftoverProcess, StopStage } from './run.ts';

/** Why one edge can never hold. */
export type Obstacle =
  | { readonly kind: 'not-enabled'; readonly on: string }
  | { readonly kind: 'failed'; readonly on: string; readonly ended: Ended | null }
  /** It completed, and was never ready. */
  | { readonly kind: 'ended-unready'; readonly on: string }
  | { readonly kind: 'never-starts'; readonly on: string };

/** Why a pending service can never start. `choice`: of these services, `least` would have to be ready; null: all edges. */
export interface Blockage {
  readonly obstacle: Obstacle;
  readonly choice: { readonly least: number; readonly of: readonly string[] } | null;
}

/** What a service needs alone: a port, or a GPU that is not shared. */
export type Claim = { readonly kind: 'port'; readonly port: number } | { readonly kind: 'gpu'; readonly id: string };

/** A condition that a pending service waits for. `isStopped`: the operator has stopped that service. */
export type Wait =
  | { readonly kind: 'edge'; readonly on: string; readonly condition: Edge['condition']; readonly isStopped: boolean }
  | {
      readonly kind: 'choice';
      readonly least: number;
      readonly of: readonly { readonly on: string; readonly isStopped: boolean }[];
      readonly condition: Edge['condition'];
    }
  /** `holder` is stopping, and still has what the service needs. */
  | { readonly kind: 'claim'; readonly holder: string; readonly claim: Claim };

export type Reason =
  | { readonly kind: 'not-enabled' }
  /** It is started by hand. */
  | { readonly kind: 'idle'; readonly start: StartMode }
  | { readonly kind: 'never-starts'; readonly blockage: Blockage }
  | { readonly kind: 'waits'; readonly waits: readonly Wait[] }
  /** What it waits for, or the latest result of its probes. */
  | { readonly kind: 'probe'; readonly detail: ProbeDetail }
  | { readonly kind: 'liveness'; readonly lapse: Lapse }
  /** It is to stop, and services that need it stop first. */
  | { readonly kind: 'stops-later' }
  /** `hasExited`: its main process is gone. */
  | { readonly kind: 'stopping'; readonly stage: StopStage; readonly hasExited: boolean }
  /** SIGKILL to these processes is not permitted. */
  | { readonly kind: 'unkillable'; readonly refused: readonly LeftoverProcess[] }
  /** A scheduled task waits. `nextIn`: until its next run; null: not known. `ended`: its latest run. */
  | { readonly kind: 'scheduled'; readonly nextIn: Millis | null; readonly ended: Ended | null }
  /** `restartsAfter`: the rest of the pause before it starts again; null: it does not. */
  | { readonly kind: 'ended'; readonly ended: Ended; readonly restartsAfter: Millis | null };
