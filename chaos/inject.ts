// Does to a round what its faults say, each at its instant, and undoes what lasts when its time is over or all is to be
// healed. Writes down whom it met. Never ends svc-super or its supervisor.
import { rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ask, execute, followers, holdConnections, makeNoise, slowClient } from './api.ts';
import { isWrong, reloadText } from './configure.ts';
import type { Done, Sent } from './observation.ts';
import type { Processes, Seen } from './proc.ts';
import type { Room } from './room.ts';
import type { Fault, ReloadFile } from './scenario.ts';

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
  #reloading: Promise<string> = Promise.resolve('');

  constructor(room: Room, processes: Processes) {
    this.#room = room;
    this.#processes = processes;
  }

  begin(): void {
    for (const fault of this.#room.scenario.faults) {
      this.#timers.push(setTimeout(() => this.#inject(fault), fault.at));
    }
  }

  /** For how long svc-super and its supervisor were stopped so far, milliseconds. */
  get stopped(): number {
    return this.#stoppedFor + (this.#stoppedSince === null ? 0 : performance.now() - this.#stoppedSince);
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

  /** The process that a fault affects: never svc-super, its supervisor or an init above them. */
  #pick(whom: 'main' | 'any', pick: number): Seen | undefined {
    const { pid1, supervisor } = this.#room;
    const found = this.#all().filter(
      ({ outer, pid, state, outerParent }) =>
        pid !== 1 &&
        outer !== pid1 &&
        outer !== supervisor &&
        state !== 'Z' &&
        (whom === 'any' || outerParent === pid1),
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

  /** What is still under way is waited for by heal(). */
  #inject(fault: Fault): void {
    if (this.#room.isOver) return;
    const work = Promise.resolve(this.#perform(fault)).then((note) => {
      this.done.push({ at: Date.now(), fault, note });
    });
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Does it, and tells what came of it. */
  #perform(fault: Fault): string | Promise<string> {
    const room = this.#room;
    const { socket } = room;
    switch (fault.kind) {
      case 'kill': {
        const seen = this.#pick(fault.whom, fault.pick);
        if (seen === undefined) return 'nobody';
        this.sent.push({ at: Date.now(), pid: seen.pid, signal: fault.signal });
        this.#signal(seen.outer, fault.signal);
        return `${seen.name} (pid ${seen.pid})`;
      }
      case 'freeze': {
        const seen = this.#pick(fault.whom, fault.pick);
        if (seen === undefined) return 'nobody';
        this.#signal(seen.outer, SIGSTOP);
        this.#last(fault.for, () => this.#signal(seen.outer, SIGCONT));
        return `${seen.name} (pid ${seen.pid})`;
      }
      case 'freeze-supervisor':
        return this.#freezeSupervisor(fault.for);
      case 'stall-reader': {
        const pipe = room[fault.stream];
        pipe.freeze();
        this.#last(fault.for, () => pipe.thaw());
        return '';
      }
      case 'fill-disk':
        return this.#fillDisk(fault.for);
      case 'squeeze-processes':
        if (room.limit === null) return 'left out: no pids cgroup can be had';
        room.limit.squeeze(fault.room);
        this.#last(fault.for, () => room.limit?.release());
        return '';
      case 'hold-connections':
        this.#last(fault.for, holdConnections(socket, fault.count));
        return '';
      case 'reload':
        // One after the other, so that each is answered for its own file.
        this.#reloading = this.#reloading.then(() => this.#reload(fault.by, fault.file));
        return this.#reloading;
      case 'operate': {
        const name = this.#service(fault.pick);
        const path = `/v1/services/${name}/${fault.operation}`;
        return ask(socket, 'POST', path, {}, PATIENCE).then((answer) => `${name}: ${answer?.status ?? 'no answer'}`);
      }
      case 'exec': {
        const name = this.#service(fault.pick);
        return execute(socket, name, ['/bin/sh', '-c', 'echo here; sleep 1'], fault.for).then(() => name);
      }
      case 'noise':
        return makeNoise(socket, fault.seed, fault.count).then(() => '');
      case 'slow-client':
        this.#last(fault.for, slowClient(socket));
        return '';
      case 'followers':
        this.#last(fault.for, followers(socket, fault.count, fault.reads));
        return '';
      default:
        return fault satisfies never;
    }
  }

  /** Stops svc-super and its supervisor, so that nothing of the product runs. */
  #freezeSupervisor(ms: number): string {
    if (this.#stoppedSince !== null) return 'stopped already';
    const { pid1, supervisor } = this.#room;
    const signal = (number: number) => {
      for (const pid of this.#room.isOver ? [] : [pid1, supervisor]) this.#signal(pid, number);
    };
    signal(SIGSTOP);
    this.#stoppedSince = performance.now();
    this.#last(ms, () => {
      this.#stoppedFor = this.stopped;
      this.#stoppedSince = null;
      signal(SIGCONT);
    });
    return '';
  }

  /** A service's name, one that all its copies have in common too. */
  #service(pick: number): string {
    const { services } = this.#room.scenario;
    const spec = services[pick % services.length];
    if (spec === undefined) return '';
    return spec.replicas === 1 ? spec.name : `${spec.name}.${pick % spec.replicas}`;
  }

  #fillDisk(ms: number): string {
    const path = join(this.#room.disk, 'ballast');
    const size = this.#room.scenario.surroundings.disk * 1_024;
    for (let part = size; part >= 1_024; part /= 2) {
      try {
        writeFileSync(path, new Uint8Array(part), { flag: 'a' });
      } catch {
        // No more room for so much; or the supervisor has gone, and its mounts with it.
      }
    }
    this.#last(ms, () => {
      try {
        rmSync(path, { force: true });
      } catch {
        // Gone with the supervisor.
      }
    });
    return '';
  }

  async #reload(by: 'signal' | 'api', file: ReloadFile): Promise<string> {
    const room = this.#room;
    this.#turn += 1;
    room.writeFile(reloadText(room.scenario, room.places, file, this.#turn));
    if (by === 'signal') {
      room.signal(SIGHUP);
      return 'SIGHUP';
    }
    const answer = await ask(room.socket, 'POST', '/v1/reload', {}, PATIENCE);
    const expected = isWrong(file) ? 422 : 200;
    const fits = answer === null || answer.status === expected || answer.status === 409;
    return fits ? `${answer?.status ?? 'no answer'}` : `WRONG ANSWER ${answer.status}: ${answer.body.slice(0, 500)}`;
  }
}
