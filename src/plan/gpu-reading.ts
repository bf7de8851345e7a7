// The result of reading the memory of a plan's GPUs: the runtime reads it, the core evaluates it. Types only.

/** A process that has a device open. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
  /** The service that the process belongs to; null: none, or unknown. */
  readonly service: string | null;
}

export type GpuReading =
  | {
      readonly kind: 'memory';
      /** In the order of the plan's devices, bytes. */
      readonly devices: readonly { readonly used: number; readonly total: number }[];
      /** Processes that have one of the devices open, as far as /proc shows them. */
      readonly holders: readonly Holder[];
      /** A problem that the driver reported although it responded. */
      readonly warning?: string;
    }
  /** The memory cannot be read on this machine. */
  | { readonly kind: 'unreadable'; readonly why: string }
  /** The driver does not respond. */
  | { readonly kind: 'lost'; readonly why: string };
