// Creates the parts of a supervising process that exist before its engine: the connection to PID 1, the log, the access to
// GPUs, /etc/hosts. Part of the root.
import { Journal } from '../control/journal.ts';
import { RunLog } from '../control/run-log.ts';
import type { GpuReader } from '../linux/gpu-memory.ts';
import type { GpuUses } from '../linux/gpu-use.ts';
import { hostsFile } from '../linux/hosts-file.ts';
import { Pipeline } from '../logs/pipeline.ts';
import { makeSinks } from '../logs/sinks.ts';
import type { Run } from '../pid1/run.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { Plan } from '../plan/plan.ts';
import type { Handover } from '../platform/handover.ts';
import { openOutput } from '../platform/output.ts';
import type { Files, RealClock } from '../ports.ts';
import { type Announce, makeAnnouncer } from './announcer.ts';
import { HostNames } from './hosts.ts';
import type { Link } from './link.ts';
import { ownersOf } from './owners.ts';

export interface UpRequest {
  readonly names: readonly string[];
  /** Whether `--debug` was given: events are traced, and PID 1 does not replace this process if it hangs. */
  readonly debug: boolean;
  readonly handover: Handover;
  readonly files: Files;
  /** Finds the GPUs of the container. */
  readonly gpus: () => Inventory;
  readonly version: string;
  readonly clock: RealClock;
  err(text: string): void;
  /** Ends this process. */
  exit(code: number): void;
}

export interface Rooms {
  readonly request: UpRequest;
  readonly link: Link;
  readonly logs: Pipeline;
  readonly journal: Journal;
  readonly runs: RunLog;
  readonly announce: Announce;
  readonly gpus: GpuAccess;
  readonly hostNames: HostNames;
}

export async function openRooms(request: UpRequest, plan: Plan, link: Link): Promise<Rooms> {
  const { clock, handover } = request;
  const sinks = makeSinks((fd) => openOutput(fd, clock, (one) => handover.terminals[one as 1 | 2]));
  const logs = new Pipeline(
    clock,
    sinks,
    plan.services.map(({ name }) => name),
    (service, text) => announce({ level: 'warn', service, event: 'log-file', text: `log file: ${text}` }),
  );
  const journal = new Journal();
  const print = await makeAnnouncer(plan, logs, sinks.stderr);
  const announce: Announce = (announcement) => {
    // The journal is part of the checkpoint. touch() comes first, so that the batch is sent before followers get the event.
    link.pid1.touch();
    journal.add(announcement, clock.wall());
    // Printed after that batch is sent: a successor repeats the announcements of a batch that was not sent.
    queueMicrotask(() => print(announcement));
  };
  const hostNames = new HostNames(hostsFile(), announce);
  process.once('exit', () => {
    // If PID 1 replaces this process, the successor keeps the names.
    if (link.isEnding) hostNames.undo();
  });
  return { request, link, logs, journal, runs: new RunLog(), announce, gpus: new GpuAccess(request, link), hostNames };
}

/** A reading of the use of GPUs is shared for this long, milliseconds. */
const USE_FRESH = 2_000;

/** Reads the memory and the use of GPUs. Loads the modules for that at the first use. */
class GpuAccess {
  readonly #request: UpRequest;
  readonly #link: Link;
  #reader: GpuReader | undefined;
  #useReader: (() => Promise<GpuUses>) | undefined;
  #use: { readonly at: number; readonly uses: Promise<GpuUses> } | null = null;
  /** The services that have a run, each with the handle of its run. */
  runs: () => readonly (readonly [string, Run])[] = () => [];

  constructor(request: UpRequest, link: Link) {
    this.#request = request;
    this.#link = link;
  }

  readonly owners = (): ReadonlyMap<number, string> => ownersOf(this.#link.children, this.runs());

  async reader(): Promise<GpuReader> {
    const { clock, handover } = this.#request;
    const { environment } = handover;
    this.#reader ??= (await import('./gpus.ts')).makeGpuReader({ clock, environment, owners: this.owners });
    return this.#reader;
  }

  /** The use of all GPUs of the container. */
  use(): Promise<GpuUses> {
    const at = this.#request.clock.now();
    if (this.#use === null || at - this.#use.at >= USE_FRESH) this.#use = { at, uses: this.#readUse() };
    return this.#use.uses;
  }

  async #readUse(): Promise<GpuUses> {
    const { clock, handover } = this.#request;
    const { environment } = handover;
    this.#useReader ??= (await import('./gpus.ts')).makeGpuUseReader({ clock, environment });
    return this.#useReader();
  }
}
