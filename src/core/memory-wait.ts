// Decides whether the memory of a service's GPUs is free enough for its next run: compares it with what was in use before its
// last run. A function of readings and time; readings arrive as events.
//
// A killed process gives its memory back while the driver tears it down, up to tens of seconds after the process is gone
// (https://github.com/sgl-project/sglang/issues/36589); a run that is started meanwhile ends with "out of memory".
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { GpuPlan, Millis } from '../plan/plan.ts';
import type { Shortage, StartFailure } from './detail.ts';
import type { MemoryNotice } from './notice.ts';

/** A run that waits for memory. */
export interface MemoryWait {
  readonly since: Millis;
  /** When the next reading is due; null while one is under way. */
  readonly readAt: Millis | null;
  /** The bytes in use, and since when they have not changed; null before the first reading. */
  readonly steady: { readonly since: Millis; readonly used: readonly number[] } | null;
}

type MemoryDecision =
  /** `memory` becomes the baseline of the next run; null: it could not be read. */
  | {
      readonly id: 'start';
      readonly memory: Readonly<Record<string, number>> | null;
      readonly remark: MemoryNotice | null;
    }
  | { readonly id: 'wait'; readonly wait: MemoryWait; readonly shortage: Shortage }
  | { readonly id: 'timeout' | 'impossible'; readonly failure: StartFailure }
  | { readonly id: 'lost'; readonly why: string };

const MIB = 1024 * 1024;
/** Bytes above the baseline that are ignored: what a driver uses itself varies. */
const SLACK = 256 * MIB;
/** Changes of fewer bytes than this are ignored. */
const STILL = 16 * MIB;
/** Memory in use that has not changed for this long is not being freed. */
const STEADY_AFTER: Millis = 5_000;

const FIRST_PAUSE: Millis = 100;
const LAST_PAUSE: Millis = 1_000;

export function beginMemoryWait(now: Millis): MemoryWait {
  return { since: now, readAt: null, steady: null };
}

/** `before`: bytes in use on each device before the last run, by its id; a device that is not in it has no baseline. */
export function evaluateReading(
  plan: GpuPlan,
  before: Readonly<Record<string, number>>,
  wait: MemoryWait,
  reading: GpuReading,
  now: Millis,
): MemoryDecision {
  if (reading.kind === 'unreadable')
    return {
      id: 'start',
      memory: null,
      remark: { kind: 'unread', why: reading.why, isMinFreeIgnored: plan.minFree !== null },
    };
  if (reading.kind === 'lost') return { id: 'lost', why: reading.why };
  const small = findSmall(plan, reading.devices);
  if (small !== null) return { id: 'impossible', failure: small };
  const used = reading.devices.map((device) => device.used);
  const byDevice = (measure: (id: string, taken: number) => number): Readonly<Record<string, number>> =>
    Object.fromEntries(plan.devices.map(({ id }, index) => [id, measure(id, used[index] ?? 0)]));
  const crowded = findCrowded(plan, reading.devices);
  const grown = findGrown(plan, used, before);
  if (crowded.length === 0 && grown.length === 0) {
    return { id: 'start', memory: byDevice((id, taken) => Math.min(taken, before[id] ?? taken)), remark: null };
  }
  const steady = isStill(wait, used) ? wait.steady : { since: now, used };
  const others = reading.holders.filter(({ service }) => service === null);
  const shortage = [...crowded, ...grown];
  // Shared memory need not return to the baseline. Otherwise only a process that belongs to no service, such as one of the last
  // run that the driver still tears down, is worth the wait: services keep theirs, and other containers show no processes here.
  const settled = steady !== null && now - steady.since >= STEADY_AFTER && (plan.shared || others.length === 0);
  if (settled && crowded.length === 0) {
    return {
      id: 'start',
      memory: byDevice((_id, taken) => taken),
      remark: { kind: 'unchanging', shortage },
    };
  }
  if (now - wait.since >= plan.freeTimeout) {
    // Use of a shared device by others is no reason not to run.
    if (plan.shared && crowded.length === 0) {
      return {
        id: 'start',
        memory: byDevice((_id, taken) => taken),
        remark: { kind: 'shared', shortage, after: now - wait.since },
      };
    }
    const { holders } = reading;
    const waited = now - wait.since;
    return { id: 'timeout', failure: { kind: 'memory', within: plan.freeTimeout, waited, shortage, holders } };
  }
  const pause = Math.min(LAST_PAUSE, Math.max(FIRST_PAUSE, (now - wait.since) / 10));
  const readAt = Math.min(now + pause, wait.since + plan.freeTimeout);
  return { id: 'wait', wait: { since: wait.since, readAt, steady }, shortage };
}

type DeviceReadings = (GpuReading & { readonly kind: 'memory' })['devices'];

/** The first device that never has `min_free`; null: each may have it. */
function findSmall({ devices, minFree }: GpuPlan, read: DeviceReadings): StartFailure | null {
  for (const [index, { id }] of devices.entries()) {
    const total = read[index]?.total ?? Infinity;
    if (minFree !== null && total < minFree) return { kind: 'small-gpu', device: id, total, minFree };
  }
  return null;
}

/** Devices with less free memory than `min_free`. */
function findCrowded({ devices, minFree }: GpuPlan, read: DeviceReadings): Shortage {
  return devices.flatMap(({ id }, index): Shortage => {
    const { used, total } = read[index] ?? { used: 0, total: Infinity };
    return minFree === null || total - used >= minFree
      ? []
      : [{ kind: 'free', device: id, free: total - used, wanted: minFree }];
  });
}

/** Devices on which more memory is in use than before the last run. */
function findGrown({ devices }: GpuPlan, used: readonly number[], before: Readonly<Record<string, number>>): Shortage {
  return devices.flatMap(({ id }, index): Shortage => {
    const [taken, usual] = [used[index] ?? 0, before[id] ?? Infinity];
    return taken <= usual + SLACK ? [] : [{ kind: 'used', device: id, used: taken, usual }];
  });
}

function isStill({ steady }: MemoryWait, used: readonly number[]): boolean {
  return steady !== null && used.every((taken, index) => Math.abs(taken - (steady.used[index] ?? 0)) <= STILL);
}
