// The processor time, memory and restarts of each service, and the use of each GPU, over the last hour: rings of numbers with
// a fixed size, sampled at an interval. Not part of the checkpoint: a new supervisor begins with an empty history.
import type { ApiSource, Usage } from './source.ts';

/** Milliseconds between two samples. */
export const SAMPLE_INTERVAL = 15_000;
/** Samples that are kept: one hour. */
export const MAX_SAMPLES = 240;
/** Only this many services have a history, which limits its size to 2.9 MB. */
export const MAX_RECORDED = 1_000;
/** Without `keep()`, sampling ends this long after the last request, milliseconds. */
const SAMPLED_AFTER_REQUEST = 600_000;
/** GPUs are queried only this long after a request, because a query starts a program. */
const GPUS_AFTER_REQUEST = 120_000;

/**
 * The pause after a sample is at least this many times the sample's duration, so that sampling takes at most 0.2 % of a
 * processor.
 */
const PAUSE_FACTOR = 500;
/** The longest such pause, milliseconds. */
const LONGEST_PAUSE = 300_000;

const SERVICE_SERIES = ['cpu_percent', 'memory_bytes', 'restarts'] as const;
const GPU_SERIES = ['use_percent', 'memory_bytes'] as const;

type Source = Pick<ApiSource, 'snapshot' | 'usage' | 'gpus' | 'wall' | 'after'>;
type Series<Name extends string> = Readonly<Record<Name, Float32Array>>;
/** Values in the order of `times`; null: not known at that time. */
type SeriesJson<Name extends string> = Readonly<Record<Name, readonly (number | null)[]>>;

/** The body of `GET /v1/history`. */
export interface HistoryJson {
  readonly interval_seconds: number;
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly services: Readonly<Record<string, SeriesJson<(typeof SERVICE_SERIES)[number]>>>;
  /** By the identifier of the GPU. */
  readonly gpus: Readonly<Record<string, SeriesJson<(typeof GPU_SERIES)[number]>>>;
}

/** The processor time of a run at its latest sample. */
interface Previous {
  readonly run: number;
  readonly seconds: number;
  /** Wall time, milliseconds. */
  readonly at: number;
}

/** Samples while it is kept or asked for, and returns what it has sampled. */
export class ResourceHistory {
  readonly #source: Source;
  readonly #times = new Float64Array(MAX_SAMPLES);
  readonly #services = new Map<string, Series<(typeof SERVICE_SERIES)[number]>>();
  readonly #gpus = new Map<string, Series<(typeof GPU_SERIES)[number]>>();
  #previous = new Map<string, Previous>();
  /** Samples taken so far; sample n is in the rings at n modulo MAX_SAMPLES. */
  #count = 0;
  #isKept = false;
  /** Cancels the timer of the next sample; null: none is armed. */
  #cancel: (() => void) | null = null;
  #askedAt = -Infinity;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Keeps sampling from now on, with or without requests. */
  keep(): void {
    this.#isKept = true;
    if (this.#cancel === null) this.#arm();
  }

  /** Notes a request: takes the first sample if there is none, and keeps sampling for SAMPLED_AFTER_REQUEST. */
  ask(): void {
    this.#askedAt = this.#source.wall();
    if (this.#cancel !== null && this.#count > 0) return;
    this.#cancel?.();
    this.#sample();
  }

  /** The samples after `since`, milliseconds since 1970, of these services and of all GPUs. */
  read(names: readonly string[], since: number): HistoryJson {
    const first = Math.max(0, this.#count - MAX_SAMPLES);
    const slots = Array.from({ length: this.#count - first }, (_, index) => (first + index) % MAX_SAMPLES).filter(
      (slot) => (this.#times[slot] ?? 0) > since,
    );
    return {
      interval_seconds: SAMPLE_INTERVAL / 1_000,
      times: slots.map((slot) => this.#times[slot] ?? 0),
      services: toJson(this.#services, SERVICE_SERIES, slots, new Set(names)),
      gpus: toJson(this.#gpus, GPU_SERIES, slots, null),
    };
  }

  /** Arms the timer of the next sample. `took`: the duration of the latest one, milliseconds. */
  #arm(took = 0): void {
    const pause = Math.max(SAMPLE_INTERVAL, Math.min(LONGEST_PAUSE, took * PAUSE_FACTOR));
    this.#cancel = this.#source.after(pause, () => this.#sample());
  }

  #sample(): void {
    const now = this.#source.wall();
    const slot = this.#count % MAX_SAMPLES;
    this.#times[slot] = now;
    this.#count += 1;
    for (const series of [...this.#services.values(), ...this.#gpus.values()]) clear(series, slot);
    this.#sampleServices(slot, now);
    if (now - this.#askedAt < GPUS_AFTER_REQUEST) void this.#sampleGpus(slot, now);
    this.#cancel = null;
    if (this.#isKept || now - this.#askedAt < SAMPLED_AFTER_REQUEST) this.#arm(this.#source.wall() - now);
  }

  #sampleServices(slot: number, now: number): void {
    const { services } = this.#source.snapshot();
    const usage = this.#source.usage();
    const present = services.slice(0, MAX_RECORDED);
    const names = new Set(present.map(({ name }) => name));
    for (const name of this.#services.keys()) if (!names.has(name)) this.#services.delete(name);
    const previous = new Map<string, Previous>();
    for (const { name, run, restarts } of present) {
      const series = this.#services.get(name) ?? newSeries(SERVICE_SERIES);
      this.#services.set(name, series);
      series.restarts[slot] = restarts;
      const used = usage.get(name);
      if (used === undefined) continue;
      series.memory_bytes[slot] = used.memory_bytes;
      const percent = percentSince(this.#previous.get(name), run, used, now);
      if (percent !== null) series.cpu_percent[slot] = percent;
      previous.set(name, { run, seconds: used.cpu_seconds, at: now });
    }
    this.#previous = previous;
  }

  async #sampleGpus(slot: number, at: number): Promise<void> {
    const { devices } = await this.#source.gpus();
    // After a late result the slot may already hold a newer sample.
    if (this.#times[slot] !== at) return;
    for (const { id, use_percent, memory_used_bytes } of devices) {
      const series = this.#gpus.get(id) ?? newSeries(GPU_SERIES);
      this.#gpus.set(id, series);
      series.use_percent[slot] = use_percent ?? Number.NaN;
      series.memory_bytes[slot] = memory_used_bytes ?? Number.NaN;
    }
  }
}

/** Processor time since the latest sample of the same run, in percent of one processor; null: there is no such sample. */
function percentSince(previous: Previous | undefined, run: number, used: Usage, now: number): number | null {
  if (previous === undefined || previous.run !== run || now <= previous.at) return null;
  return Math.max(0, ((used.cpu_seconds - previous.seconds) / (now - previous.at)) * 100_000);
}

function newSeries<Name extends string>(names: readonly Name[]): Series<Name> {
  const series = names.map((name) => [name, new Float32Array(MAX_SAMPLES).fill(Number.NaN)]);
  return Object.fromEntries(series) as Record<Name, Float32Array>;
}

function clear(series: Readonly<Record<string, Float32Array>>, slot: number): void {
  for (const values of Object.values(series)) values[slot] = Number.NaN;
}

/** The values of `slots`. `wanted`: keys of `all`; null: all of them. */
function toJson<Name extends string>(
  all: ReadonlyMap<string, Series<Name>>,
  names: readonly Name[],
  slots: readonly number[],
  wanted: ReadonlySet<string> | null,
): Readonly<Record<string, SeriesJson<Name>>> {
  const entries = [...all].filter(([key]) => wanted === null || wanted.has(key));
  return Object.fromEntries(
    entries.map(([key, series]) => {
      const values = names.map((name) => [name, slots.map((slot) => toNumber(series[name][slot]))]);
      return [key, Object.fromEntries(values) as SeriesJson<Name>];
    }),
  );
}

/** Rounds to one decimal. NaN, which stands for an unknown value in a ring, becomes null. */
function toNumber(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Math.round(value * 10) / 10;
}
