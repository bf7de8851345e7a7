// The result of reading the memory of a plan's GPUs, which the core evaluates; and the use of the container's GPUs, which people see. Types
// only.

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

/** The use of a GPU of the container. null: the driver does not report the value. */
export interface GpuUse {
  /** Its number in the driver's own tools. */
  readonly index: number;
  /** Its UUID, or its number if it has none. */
  readonly id: string;
  readonly name: string;
  readonly use_percent: number | null;
  readonly memory_used_bytes: number | null;
  readonly memory_total_bytes: number | null;
}

export interface GpuUses {
  readonly devices: readonly GpuUse[];
  /** Why nothing can be read although there is a GPU; null: it can, or there is none. */
  readonly why: string | null;
}
