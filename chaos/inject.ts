// Does to a round what its faults say, each at its instant, and undoes what lasts when its time is over or all is to be
// healed. Writes down whom it met. Never ends the supervisor itself.
import { rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ask, execute, followers, holdConnections, makeNoise, slowClient } from './api.ts';
import { isWrong, reloadText } from './configure.ts';
import type { Done, Sent } from './observation.ts';
import type { Processes, Seen } from './proc.ts';
import type { Room } from './room.ts';
import type { Fault } from './scenario.ts';

const { SIGSTOP, SIGCONT, SIGHUP } = constants.signals;
/** For an answer to an operation or a reload, milliseconds. */
const PATIENCE = 5_000;

export class Injector {
  readonly done: Done[] = [];
  readonly sent: Sent[] = [];
  readonly #room: Room;
  readonly #processes: Processes;
  readonly #timers: Timer[] = [];
  /** What is still to be undone. */
  readonly #lasting = new Set<() => void>();
  readonly #underWay = new Set<Promise<unknown>>();
  #stoppedSince: number | null = null;
  #stoppedFor = 0;
  #turn = 0;
  /** Faults under way that may keep a question from being answered. */
  #shut = 0;
  #reopenedAt = 0;

  constructor(room: Room, processes: Processes) {
    this.#room = room;
    this.#processes = processes;
  }

  begin(): void {
    for (const fault of this.#room.scenario.faults) {
      this.#timers.push(setTimeout(() => this.#inject(fault), fault.at));
    }
  }

  /** For how long the supervisor was stopped so far, milliseconds. */
  get stopped(): number {
    return this.#stoppedFor + (this.#stoppedSince === null ? 0 : performance.now() - this.#stoppedSince);
  }

  /** Whether a question that was asked at that instant may have found all connections taken. */
  isShut(since: number): boolean {
    return this.#shut > 0 || since < this.#reopenedAt;
  }

  /** No fault more; what lasts is undone. */
  async heal(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const undo of [...this.#lasting]) undo();
    // A process that was frozen while it forked.
    for (const { outer, state } of this.#all()) if (state === 'T') this.#signal(outer, SIGCONT);
    await Promise.all([...this.#underWay]);
  }

  #all(): Seen[] {
    return this.#processes.of(this.#room.ns);
  }

  /** Whom a fault may meet: neither the supervisor nor an init above it. */
  #pick(whom: 'main' | 'any', pick: number): Seen | undefined {
    const { supervisor } = this.#room;
    const found = this.#all().filter(
      ({ outer, pid, state, outerParent }) =>
        pid !== 1 && outer !== supervisor && state !== 'Z' && (whom === 'any' || outerParent === supervisor),
    );
    return found[pick % Math.max(1, found.length)];
  }

  #signal(outer: number, signal: number): void {
    try {
      process.kill(outer, signal);
    } catch {
      // Gone meanwhile.
    }
  }

  /** Undone after `ms`, or by heal(). */
  #last(ms: number, undo: () => void): void {
    const once = () => {
      if (this.#lasting.delete(once)) undo();
    };
    this.#lasting.add(once);
    this.#timers.push(setTimeout(once, ms));
  }

  #note(fault: Fault, note: string): void {
    this.done.push({ at: Date.now(), fault, note });
  }

  #follow(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  #inject(fault: Fault): void {
    const room = this.#room;
    if (room.isOver) return;
    const { socket } = room;
    switch (fault.kind) {
      case 'kill': {
        const seen = this.#pick(fault.whom, fault.pick);
        if (seen === undefined) return this.#note(fault, 'nobody');
        this.sent.push({ at: Date.now(), pid: seen.pid, signal: fault.signal });
        this.#signal(seen.outer, fault.signal);
        return this.#note(fault, `${seen.name} (pid ${seen.pid})`);
      }
      case 'freeze': {
        const seen = this.#pick(fault.whom, fault.pick);
        if (seen === undefined) return this.#note(fault, 'nobody');
        this.#signal(seen.outer, SIGSTOP);
        this.#last(fault.for, () => this.#signal(seen.outer, SIGCONT));
        return this.#note(fault, `${seen.name} (pid ${seen.pid})`);
      }
      case 'freeze-supervisor':
        if (this.#stoppedSince !== null) return this.#note(fault, 'stopped already');
        room.signal(SIGSTOP);
        this.#stoppedSince = performance.now();
        this.#last(fault.for, () => {
          this.#stoppedFor = this.stopped;
          this.#stoppedSince = null;
          room.signal(SIGCONT);
        });
        return this.#note(fault, '');
      case 'stall-reader': {
        const pipe = room[fault.stream];
        pipe.freeze();
        this.#last(fault.for, () => pipe.thaw());
        return this.#note(fault, '');
      }
      case 'fill-disk':
        return this.#fillDisk(fault);
      case 'squeeze-processes':
        if (room.limit === null) return this.#note(fault, 'left out: no pids cgroup can be had');
        room.limit.squeeze(fault.room);
        this.#last(fault.for, () => room.limit?.release());
        return this.#note(fault, '');
      case 'hold-connections': {
        const release = holdConnections(socket, fault.count);
        this.#shut += 1;
        this.#last(fault.for, () => {
          release();
          this.#shut -= 1;
          this.#reopenedAt = performance.now();
        });
        return this.#note(fault, '');
      }
      case 'reload':
        return this.#follow(this.#reload(fault));
      case 'operate': {
        const name = this.#service(fault.pick);
        const path = `/v1/services/${name}/${fault.operation}`;
        return this.#follow(
          ask(socket, 'POST', path, {}, PATIENCE).then((answer) => this.#note(fault, `${name}: ${answer?.status}`)),
        );
      }
      case 'exec': {
        const name = this.#service(fault.pick);
        this.#note(fault, name);
        return this.#follow(execute(socket, name, ['/bin/sh', '-c', 'echo here; sleep 1'], fault.for));
      }
      case 'noise':
        this.#note(fault, '');
        return this.#follow(makeNoise(socket, fault.seed, fault.count));
      case 'slow-client':
        this.#last(fault.for, slowClient(socket));
        return this.#note(fault, '');
      case 'followers':
        this.#last(fault.for, followers(socket, fault.count, fault.reads));
        return this.#note(fault, '');
      default:
        fault satisfies never;
    }
  }

  #service(pick: number): string {
    const { services } = this.#room.scenario;
    return services[pick % services.length]?.name ?? '';
  }

  #fillDisk(fault: Fault & { readonly kind: 'fill-disk' }): void {
    const path = join(this.#room.disk, 'ballast');
    const size = this.#room.scenario.surroundings.disk * 1_024;
    try {
      for (let part = size; part >= 1_024; part /= 2) {
        try {
          writeFileSync(path, new Uint8Array(part), { flag: 'a' });
        } catch {
          // No more room for so much.
        }
      }
    } finally {
      this.#last(fault.for, () => {
        try {
          rmSync(path, { force: true });
        } catch {
          // The supervisor has gone, and its mounts with it.
        }
      });
    }
    this.#note(fault, '');
  }

  async #reload(fault: Fault & { readonly kind: 'reload' }): Promise<void> {
    const room = this.#room;
    this.#turn += 1;
    room.writeFile(reloadText(room.scenario, room.places, fault.file, this.#turn));
    if (fault.by === 'signal') {
      room.signal(SIGHUP);
      this.#note(fault, 'SIGHUP');
      return;
    }
    const answer = await ask(room.socket, 'POST', '/v1/reload', {}, PATIENCE);
    const expected = isWrong(fault.file) ? 422 : 200;
    const fits = answer === null || answer.status === expected || answer.status === 409;
    this.#note(fault, fits ? `${answer?.status}` : `WRONG ANSWER ${answer.status}: ${answer.body.slice(0, 500)}`);
  }
}
