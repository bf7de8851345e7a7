// Encodes and decodes the frames that PID 1 and the supervisor exchange: `u32 length, u32 type, payload`,
// little-endian. native/frames.h is the other side; test/native/tables.test.ts compares the numbers of both. Pure.
import { encodeBytes } from '../bytes.ts';
import { LIMITS, type LimitName } from '../linux/limits.ts';
import type { Succession } from '../plan/plan.ts';
import type { ProcessSpec } from '../plan/process.ts';

export const PROTOCOL = 3;

export const REQUEST = {
  hello: 1,
  spawn: 2,
  signal: 3,
  release: 4,
  watch: 5,
  end: 6,
  keep: 7,
  batch: 8,
  acknowledge: 9,
} as const;

export const EVENT = {
  spawned: 101,
  failed: 102,
  exited: 103,
  reaped: 104,
  signalled: 105,
  received: 106,
  notified: 107,
  kept: 108,
  run: 109,
  restored: 110,
  ping: 111,
} as const;

export const TARGET = { process: 0, main: 1, group: 2 } as const;

/** The steps at which a spawn can fail, by number. */
export const STEPS = {
  1: 'descriptors',
  2: 'fork',
  3: 'notify',
  4: 'streams',
  5: 'terminal',
  6: 'oom_score_adj',
  7: 'nice',
  8: 'cpus',
  9: 'limits',
  10: 'user',
  11: 'cwd',
  12: 'exec',
  13: 'cgroup',
} as const satisfies Readonly<Record<number, string>>;
type SpawnStep = (typeof STEPS)[keyof typeof STEPS];

/** What a descriptor of the program refers to. */
export type Stream =
  | { readonly kind: 'null' }
  /** A new pipe that the program writes to. */
  | { readonly kind: 'pipe' }
  /** The pipe of an earlier stream, by its index among the pipes, from 0. */
  | { readonly kind: 'same'; readonly pipe: number }
  | { readonly kind: 'path'; readonly path: string; readonly access: keyof typeof ACCESS };

/** O_RDONLY and O_RDWR of open(2). */
const ACCESS = { read: 0, readWrite: 2 } as const;

const STREAM_KINDS = { null: 0, pipe: 1, same: 2, path: 3 } as const;

/** Bits for the optional values that a spawn gives. */
const SET = { user: 1, umask: 2, nice: 4, oomScoreAdj: 8, terminal: 16 } as const;

/** RLIM_INFINITY of prlimit(2) on 64-bit Linux. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

export interface SpawnFrame {
  readonly run: number;
  /** The number of the signal that PID 1 sends if the supervisor has died. */
  readonly stopSignal: number;
  /** 0: none. */
  readonly mark: bigint;
  readonly spec: ProcessSpec;
  /** The file cgroup.procs of the cgroup that it enters, for `memory` of its attributes; null: it stays in the cgroup of PID 1. */
  readonly cgroup: string | null;
  /** Name of a datagram socket in the abstract namespace; null: none. */
  readonly notify: string | null;
  /** Whether descriptor 0 becomes the controlling terminal. */
  readonly terminal: boolean;
  /** By descriptor of the program, 0 to 255. At most 12 entries. */
  readonly streams: ReadonlyMap<number, Stream>;
}

/** Builds one frame. */
class Frame {
  readonly #parts: Uint8Array[] = [];
  readonly #type: number;

  constructor(type: number) {
    this.#type = type;
  }

  u32(...numbers: readonly number[]): this {
    const part = Buffer.allocUnsafe(4 * numbers.length);
    numbers.forEach((number, index) => void part.writeUInt32LE(number >>> 0, 4 * index));
    this.#parts.push(part);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  u64(number: bigint): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigUInt64LE(number);
    this.#parts.push(part);
    return this;
  }

  text(text: string): this {
    const bytes = encodeBytes(text);
    this.u32(bytes.length + 1);
    this.#parts.push(bytes, NUL);
    return this;
  }

  texts(texts: readonly string[]): this {
    const bytes = encodeBytes(texts.map((text) => `${text}\0`).join(''));
    this.u32(texts.length, bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  end(): Buffer {
    const payload = Buffer.concat(this.#parts);
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32LE(payload.length + 4, 0);
    head.writeUInt32LE(this.#type, 4);
    return Buffer.concat([head, payload]);
  }
}

const NUL = Buffer.alloc(1);
const MOST_U32 = 0xffff_ffff;

/** The values that PID 1 uses before the first `hello`: native/supervise.c. */
export const SUCCESSION: Succession = {
  hungAfter: 30_000,
  stopWait: 2_000,
  longestPause: 5_000,
  deathsBefore: 5,
  deathsYoung: 20,
};

/** `stopTimeout` in milliseconds; `stopSignals` are signal numbers. */
export function encodeHello(
  stopTimeout: number,
  stopSignals: readonly number[],
  { hungAfter, stopWait, longestPause, deathsBefore, deathsYoung }: Succession = SUCCESSION,
): Buffer {
  const mask = stopSignals.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n);
  const numbers = [hungAfter, stopWait, longestPause, deathsBefore, deathsYoung];
  return new Frame(REQUEST.hello)
    .u32(PROTOCOL, Math.min(stopTimeout, MOST_U32))
    .u64(mask)
    .u32(...numbers.map((number) => Math.min(number, MOST_U32)))
    .end();
}
export const encodeRelease = (run: number): Buffer => new Frame(REQUEST.release).u32(run).end();
export const encodeWatch = (on: boolean): Buffer => new Frame(REQUEST.watch).u32(on ? 1 : 0).end();
export const encodeEnd = (code: number): Buffer => new Frame(REQUEST.end).u32(code).end();
export const encodeAcknowledge = (count: number): Buffer => new Frame(REQUEST.acknowledge).u32(count).end();

/** Records of the checkpoint by key, 0 to 2^20 - 1. PID 1 removes a record that is empty. */
export type Records = ReadonlyMap<number, Uint8Array>;

export function encodeKeep(records: Records): Buffer {
  const frame = new Frame(REQUEST.keep).u32(records.size);
  for (const [key, bytes] of records) frame.u32(key, bytes.length).bytes(bytes);
  return frame.end();
}

/** Combines frames into one: PID 1 executes them all or, if this process dies before the last byte is written, none. */
export function encodeBatch(frames: readonly Uint8Array[]): Buffer {
  const frame = new Frame(REQUEST.batch);
  for (const bytes of frames) frame.bytes(bytes);
  return frame.end();
}

export function encodeSpawn(spawn: SpawnFrame): Buffer {
  const { argv, env, cwd, attributes } = spawn.spec;
  const { user, umask, nice, oomScoreAdj, cpus, limits, memory: _entered, ...others } = attributes;
  // An attribute that is not encoded is an error of types.
  others satisfies Readonly<Record<string, never>>;
  const set =
    (user === null ? 0 : SET.user) |
    (umask === null ? 0 : SET.umask) |
    (nice === null ? 0 : SET.nice) |
    (oomScoreAdj === null ? 0 : SET.oomScoreAdj) |
    (spawn.terminal ? SET.terminal : 0);
  const frame = new Frame(REQUEST.spawn).u32(spawn.run, spawn.stopSignal).u64(spawn.mark);
  frame.u32(set, user?.uid ?? 0, user?.gid ?? 0, umask ?? 0, nice ?? 0, oomScoreAdj ?? 0);
  frame.u32(user?.groups.length ?? 0, ...(user?.groups ?? []));
  const words = maskOf(cpus ?? []);
  frame.u32(words.length);
  for (const word of words) frame.u64(word);
  const entries = Object.entries(limits);
  frame.u32(entries.length);
  const raw = (value: number | null) => (value === null ? UNLIMITED : BigInt(value));
  for (const [name, { soft, hard }] of entries)
    frame
      .u32(LIMITS[name as LimitName].number)
      .u64(raw(soft))
      .u64(raw(hard));
  frame
    .text(spawn.notify ?? '')
    .text(cwd ?? '')
    .text(spawn.cgroup ?? '');
  frame.u32(spawn.streams.size);
  for (const [target, stream] of spawn.streams) {
    const which = stream.kind === 'same' ? stream.pipe : stream.kind === 'path' ? ACCESS[stream.access] : 0;
    frame.u32(target, STREAM_KINDS[stream.kind], which);
    frame.text(stream.kind === 'path' ? stream.path : '');
  }
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return frame.texts(argv).texts(variables).end();
}

/**
 * A set of processors for sched_setaffinity(2), at least 1,024 bits: some kernels refuse a set that is smaller than
 * their own.
 */
function maskOf(cpus: readonly number[]): bigint[] {
  if (cpus.length === 0) return [];
  const words = Array.from({ length: Math.max(16, Math.floor(Math.max(...cpus) / 64) + 1) }, () => 0n);
  for (const cpu of cpus) words[cpu >> 6] = (words[cpu >> 6] ?? 0n) | (1n << BigInt(cpu & 63));
  return words;
}

/** A target of a signal: a process by number and start time, or a run's main process or process group. */
export type SignalTarget =
  | { readonly kind: 'process'; readonly pid: number; readonly start: number }
  | { readonly kind: 'main' | 'group'; readonly run: number };

export function encodeSignal(sequence: number, signal: number, targets: readonly SignalTarget[]): Buffer {
  const frame = new Frame(REQUEST.signal).u32(sequence, signal, targets.length);
  for (const target of targets) {
    if (target.kind === 'process') frame.u32(TARGET.process, target.pid).u64(BigInt(target.start));
    else frame.u32(TARGET[target.kind], target.run).u64(0n);
  }
  return frame.end();
}

export type Pid1Event =
  | {
      readonly type: 'spawned';
      readonly run: number;
      readonly pid: number;
      readonly start: number;
      /** As in RunEntry. */
      readonly pipes: readonly number[];
    }
  | {
      readonly type: 'failed';
      readonly run: number;
      readonly step: SpawnStep;
      readonly errno: number;
      /** For `streams` the descriptor, for `limits` the number of the resource, otherwise 0. */
      readonly index: number;
    }
  /** `status` is that of wait4(2). */
  | { readonly type: 'exited'; readonly run: number; readonly status: number }
  | { readonly type: 'reaped'; readonly total: number; readonly isComplete: boolean; readonly pids: readonly number[] }
  | {
      readonly type: 'signalled';
      readonly sequence: number;
      /** The number of targets that could not be signalled; `failures` has the first of them. */
      readonly total: number;
      readonly failures: readonly SignalFailure[];
    }
  | { readonly type: 'received'; readonly signal: number; readonly code: number; readonly pid: number }
  | {
      readonly type: 'notified';
      readonly run: number;
      readonly pid: number;
      readonly uid: number;
      readonly text: string;
    }
  /** A part of a record of the previous supervisor. `size` is the size of the whole record, bytes. */
  | { readonly type: 'kept'; readonly key: number; readonly size: number; readonly part: Uint8Array }
  | ({ readonly type: 'run' } & RunEntry)
  /** `lastRun`: the highest number of a run so far. */
  | { readonly type: 'restored'; readonly lastRun: number }
  | { readonly type: 'ping' };

/** An entry of PID 1's table of runs. */
export interface RunEntry {
  readonly run: number;
  readonly state: RunState;
  /** 0 if no process was created. */
  readonly pid: number;
  readonly start: number;
  readonly mark: bigint;
  /** Meaningful for `failed` only, and as in the event. */
  readonly failure: { readonly step: SpawnStep; readonly errno: number; readonly index: number };
  /** The status of wait4(2), meaningful for `exited` only. */
  readonly status: number;
  /** The position of the exit or failed start among those of all runs, from 1; 0: the run has not ended. */
  readonly order: number;
  /** Descriptors of PID 1, in the order of the streams: this process opens `/proc/<PID 1>/fd/N`. PID 1 closes them at `release`. */
  readonly pipes: readonly number[];
}

type RunState = (typeof RUN_STATES)[number];
const RUN_STATES = ['starting', 'executing', 'failed', 'exited'] as const;

export interface SignalFailure {
  /** Index among the targets. */
  readonly index: number;
  readonly errno: number;
}

/** Splits a stream into frames and decodes them. */
export class EventReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Returns the events that these bytes complete. Throws for an event that this release does not support. */
  push(bytes: Uint8Array): Pid1Event[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const events: Pid1Event[] = [];
    let at = 0;
    while (this.#rest.length - at >= 8) {
      const length = this.#rest.readUInt32LE(at);
      if (this.#rest.length - at - 4 < length) break;
      events.push(decodeEvent(this.#rest.readUInt32LE(at + 4), this.#rest.subarray(at + 8, at + 4 + length)));
      at += 4 + length;
    }
    this.#rest = this.#rest.subarray(at);
    return events;
  }
}

/** Reads the values of a payload one after another. */
class Fields {
  readonly #payload: Buffer;
  #at = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  #pass(size: number): number {
    const from = this.#at;
    this.#at += size;
    return from;
  }

  u32(): number {
    return this.#payload.readUInt32LE(this.#pass(4));
  }

  i32(): number {
    return this.#payload.readInt32LE(this.#pass(4));
  }

  u64(): number {
    return Number(this.#payload.readBigUInt64LE(this.#pass(8)));
  }

  u64raw(): bigint {
    return this.#payload.readBigUInt64LE(this.#pass(8));
  }

  rest(): Buffer {
    return this.#payload.subarray(this.#at);
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }

  text(): string {
    const size = this.u32();
    const from = this.#pass(size);
    return this.#payload.toString('utf8', from, from + size - 1);
  }
}

function decodeEvent(type: number, payload: Buffer): Pid1Event {
  const fields = new Fields(payload);
  const u32 = () => fields.u32();
  const i32 = () => fields.i32();
  switch (type) {
    case EVENT.spawned:
      return { type: 'spawned', run: u32(), pid: i32(), start: fields.u64(), pipes: fields.list(u32) };
    case EVENT.failed:
      return { type: 'failed', run: u32(), step: STEPS[u32() as keyof typeof STEPS], errno: i32(), index: u32() };
    case EVENT.exited:
      return { type: 'exited', run: u32(), status: i32() };
    case EVENT.reaped:
      return { type: 'reaped', total: fields.u64(), isComplete: u32() === 1, pids: fields.list(i32) };
    case EVENT.signalled: {
      const sequence = u32();
      const total = u32();
      return { type: 'signalled', sequence, total, failures: fields.list(() => ({ index: u32(), errno: i32() })) };
    }
    case EVENT.received:
      return { type: 'received', signal: u32(), code: i32(), pid: i32() };
    case EVENT.notified:
      return { type: 'notified', run: u32(), pid: i32(), uid: u32(), text: fields.text() };
    case EVENT.kept:
      return { type: 'kept', key: u32(), size: u32(), part: fields.rest() };
    case EVENT.run:
      return decodeRun(fields);
    case EVENT.restored:
      return { type: 'restored', lastRun: u32() };
    case EVENT.ping:
      return { type: 'ping' };
    default:
      throw new Error(`PID 1 sent event ${type}, which this release does not support`);
  }
}

function decodeRun(fields: Fields): Pid1Event & { readonly type: 'run' } {
  const run = fields.u32();
  const state = RUN_STATES[fields.u32()] ?? 'exited';
  const [pid, start, mark] = [fields.i32(), fields.u64(), fields.u64raw()];
  const failure = { step: STEPS[fields.u32() as keyof typeof STEPS], errno: fields.i32(), index: fields.u32() };
  return {
    type: 'run',
    ...{ run, state, pid, start, mark, failure },
    status: fields.i32(),
    order: fields.u32(),
    pipes: fields.list(() => fields.u32()),
  };
}
