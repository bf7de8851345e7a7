// What is read of the memory of a plan's GPUs: by the kernel's room, for the core, which weighs it. Types only.

/** A process that has a device open. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
  /** The service whose it is; null: nobody's that is known. */
  readonly service: string | null;
}

export type GpuReading =
  | {
      readonly kind: 'memory';
      /** In the order of the plan's devices, bytes. */
      readonly devices: readonly { readonly used: number; readonly total: number }[];
      /** Who has one of them open, as far as /proc tells. */
      readonly holders: readonly Holder[];
      /** What the driver complained of while it answered. */
      readonly warning?: string;
    }
  /** There is no way to read it here. */
  | { readonly kind: 'unreadable'; readonly why: string }
  /** There is, and the driver does not answer. */
  | { readonly kind: 'lost'; readonly why: string };
