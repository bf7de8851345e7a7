// Creates the parts of a supervising process that exist before its engine: the log, the journal, the access to GPUs,
// /etc/hosts.
import { Journal } from '../control/journal.ts';
import { RunLog } from '../control/run-log.ts';
import { hostsFile } from '../linux/hosts-file.ts';
import { Pipeline } from '../logs/pipeline.ts';
import { makeSinks } from '../logs/sinks.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { LogLevel, Plan } from '../plan/plan.ts';
import type { Handover } from '../platform/handover.ts';
import { openOutput } from '../platform/output.ts';
import type { Files, RealClock } from '../ports.ts';
import { type Announce, OwnLog } from './announcer.ts';
import { GpuAccess } from './gpu-access.ts';
import { HostNames } from './hosts.ts';
import type { Link } from './link.ts';

export interface UpRequest {
  readonly names: readonly string[];
  /** Whether `--debug` was given: events are traced, and PID 1 does not replace this process if it hangs. */
  readonly debug: boolean;
  /** The level of `--quiet` or `--verbose`; null: the configuration sets it. */
  readonly level: LogLevel | null;
  /** Absolute path of the file for the number of PID 1; null: none, or this process is a successor. */
  readonly pidFile: string | null;
  readonly handover: Handover;
  readonly files: Files;
  /** Finds the GPUs of the container. */
  readonly gpus: () => Inventory;
  /** Why the kernel cannot limit the memory of a service; null: it can. */
  readonly limitMemory: () => string | null;
  readonly version: string;
  readonly clock: RealClock;
  err(text: string): void;
  /** Ends this process. */
  exit(code: number): void;
}

export interface Parts {
  readonly request: UpRequest;
  readonly link: Link;
  readonly logs: Pipeline;
  readonly journal: Journal;
  readonly runs: RunLog;
  readonly announce: Announce;
  readonly ownLog: OwnLog;
  readonly gpus: GpuAccess;
  readonly hostNames: HostNames;
}

export async function openParts(request: UpRequest, plan: Plan, link: Link): Promise<Parts> {
  const { clock, handover } = request;
  const sinks = makeSinks((fd) => openOutput(fd, clock, (one) => handover.terminals[one as 1 | 2]));
  const logs = new Pipeline(
    clock,
    sinks,
    plan.services.map(({ name }) => name),
    (service, text) => announce({ level: 'warn', service, event: 'log-file', text: `log file: ${text}` }),
  );
  const journal = new Journal();
  const ownLog = new OwnLog({ clock, logs, sink: sinks.stderr, level: request.level });
  const announce: Announce = (announcement) => {
    // The journal is part of the checkpoint. touch() queues the next batch to PID 1 as a microtask, which sends the new entry too.
    link.pid1.touch();
    journal.add(announcement, clock.wall());
    // Queued behind that batch. If this process dies before the batch is sent, the successor makes the announcement again.
    queueMicrotask(() => ownLog.print(announcement));
  };
  await ownLog.apply(plan);
  const hostNames = new HostNames(hostsFile(), announce);
  process.once('exit', () => {
    // If PID 1 replaces this process, the successor keeps the names.
    if (link.isEnding) hostNames.undo();
  });
  return {
    request,
    link,
    logs,
    journal,
    runs: new RunLog(),
    announce,
    ownLog,
    gpus: new GpuAccess({ clock, environment: handover.environment, children: link.children }),
    hostNames,
  };
}
