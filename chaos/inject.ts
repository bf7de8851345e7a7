// Injects the faults of a round, each at its time, and undoes lasting ones after their duration or at the end. Records the
// affected processes. Never ends svc-super, except by the stop request of `term-tree`.
import { rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ask, execute, followers, holdConnections, makeNoise, slowClient } from './api.ts';
import { HUNG, isWrong, logNamesOf, OTHER_USER, ownFolderOf, reloadText } from './configure.ts';
import type { Done, Sent, Span } from './observation.ts';
import type { Processes, Seen } from './proc.ts';
import type { Room } from './room.ts';
import type { Fault, ReloadFile, Swap } from './scenario.ts';

const { SIGSTOP, SIGCONT, SIGHUP, SIGTERM, SIGKILL, SIGSEGV } = constants.signals;
const SWAP = join(import.meta.dir, 'swap.pl');
/** Time limit for the response to an operation or a reload, milliseconds. */
const PATIENCE = 5_000;

export class Injector {
  readonly done: Done[] = [];
  readonly sent: Sent[] = [];
  readonly #room: Room;
  readonly #processes: Processes;
  readonly #timers: Timer[] = [];
  /** A fault that must still be undone. */
  readonly #lasting = new Set<() => void>();
  readonly #underWay = new Set<Promise<unknown>>();
  #stoppedSince: number | null = null;
  #stoppedFor = 0;
  /** Since when the supervisor has been missing because of a fault. */
  #goneSince: number | null = null;
  /** When SIGTERM was sent to every process; null: not yet. */
  treeSignalled: Span | null = null;
  /** Number of supervisors that were ended, and whether the runtime has reported one of these ends. */
  ended = 0;
  hasCrashed = false;
  /** The times at which the supervisor was stopped. */
  readonly away: Span[] = [];
  /** Services whose log file or folder is being replaced. */
  readonly #swapped = new Set<string>();
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

  /** Total time for which svc-super and its supervisor were stopped, milliseconds. */
  get stopped(): number {
    const since = (from: number | null) => (from === null ? 0 : performance.now() - from);
    return this.#stoppedFor + since(this.#stoppedSince) + since(this.#goneSince);
  }

  /** Injects no more faults, and undoes lasting ones. */
  async heal(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const undo of [...this.#lasting]) undo();
    // A process that was stopped while it forked.
    for (const { outer, state } of this.#all()) if (state === 'T') this.#signal(outer, SIGCONT);
    await Promise.all([...this.#underWay]);
  }

  #all(): Seen[] {
    return this.#processes.of(this.#room.ns);
  }

  /** The process that a fault affects: never svc-super, its supervisor or an init above them. */
  #pick(whom: 'main' | 'any', pick: number): Seen | undefined {
    const { pid1 } = this.#room;
    const found = this.#others().filter(
      ({ state, outerParent }) => state !== 'Z' && (whom === 'any' || outerParent === pid1),
    );
    return found[pick % Math.max(1, found.length)];
  }

  #signal(outer: number, signal: number): void {
    try {
      process.kill(outer, signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  /** Undoes a fault after `ms`, or in heal(). */
  #last(ms: number, undo: () => void): void {
    const once = () => {
      if (this.#lasting.delete(once)) undo();
    };
    this.#lasting.add(once);
    this.#timers.push(setTimeout(once, ms));
  }

  /** heal() waits for faults that are still in progress. */
  #inject(fault: Fault): void {
    if (this.#room.isOver) return;
    const work = Promise.resolve(this.#perform(fault)).then((note) => {
      this.done.push({ at: Date.now(), fault, note });
    });
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Injects a fault; returns its effect. */
  #perform(fault: Fault): string | Promise<string> {
    const room = this.#room;
    const { socket } = room;
    switch (fault.kind) {
      case 'kill':
        return this.#toProcess(fault, ({ outer, pid }) => {
          this.sent.push({ at: Date.now(), pid, signal: fault.signal });
          this.#signal(outer, fault.signal);
        });
      case 'freeze':
        return this.#toProcess(fault, ({ outer }) => {
          this.#signal(outer, SIGSTOP);
          this.#last(fault.for, () => this.#signal(outer, SIGCONT));
        });
      case 'freeze-supervisor':
        return this.#freeze(fault.alone ? 'supervisor' : 'product', fault.for);
      case 'freeze-all':
        return this.#freeze('everything', fault.for);
      case 'end-supervisor':
        return this.#endSupervisor(fault.how, fault.again);
      case 'term-tree':
        return this.#termTree(fault.gap);
      case 'swap-log':
        return this.#swapLog(fault.what, fault.pick, fault.turns, fault.for);
      case 'stall-reader':
        room[fault.stream].freeze();
        this.#last(fault.for, () => room[fault.stream].thaw());
        return '';
      case 'fill-disk':
        return this.#fillDisk(fault.for);
      case 'squeeze-processes':
        if (room.limit === null) return 'left out: there is no pids cgroup';
        room.limit.squeeze(fault.room);
        this.#last(fault.for, () => room.limit?.release());
        return '';
      case 'hold-connections':
        this.#last(fault.for, holdConnections(socket, fault.count));
        return '';
      case 'reload':
        // One after the other, so that each response belongs to its own file.
        this.#reloading = this.#reloading.then(() => this.#reload(fault.by, fault.file));
        return this.#reloading;
      case 'operate':
        return this.#operate(this.#service(fault.pick), fault.operation);
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

  /** Applies an action to the process that the fault picks; returns its name and pid. */
  #toProcess({ whom, pick }: Fault & { readonly kind: 'kill' | 'freeze' }, act: (seen: Seen) => void): string {
    const seen = this.#pick(whom, pick);
    if (seen === undefined) return 'no such process';
    act(seen);
    return `${seen.name} (pid ${seen.pid})`;
  }

  /** Stops the supervisor only, svc-super too (no part of the product runs), or every process of the container. */
  #freeze(what: 'supervisor' | 'product' | 'everything', ms: number): string {
    if (this.#stoppedSince !== null || this.#goneSince !== null) return 'stopped already';
    const { pid1, supervisor } = this.#room;
    const product = what === 'supervisor' ? [supervisor] : [pid1, supervisor];
    const signal = (number: number) => {
      if (!this.#room.isOver) for (const pid of product) this.#signal(pid, number);
      if (what === 'everything') for (const { outer } of this.#others()) this.#signal(outer, number);
    };
    const from = Date.now();
    signal(SIGSTOP);
    // A process that was forked meanwhile.
    if (what === 'everything') for (const { outer } of this.#others()) this.#signal(outer, SIGSTOP);
    this.#stoppedSince = performance.now();
    this.#last(ms, () => {
      this.#stoppedFor = this.stopped;
      this.#stoppedSince = null;
      this.away.push({ from, to: Date.now() });
      signal(SIGCONT);
    });
    return '';
  }

  /** Ends the supervisor, and its successors `again` times. The time without a supervisor is excused. */
  async #endSupervisor(how: 'kill' | 'crash' | 'starve' | 'hang', again: number): Promise<string> {
    const room = this.#room;
    if (this.#stoppedSince !== null || this.#goneSince !== null || this.treeSignalled !== null)
      return 'stopped already';
    this.hasCrashed ||= how === 'crash' || how === 'starve';
    // The detection of a hanging supervisor takes time.
    const turns = how === 'hang' ? 1 : 1 + again;
    for (let turn = 0; turn < turns; turn += 1) {
      const { supervisor } = room;
      const [began, from] = [Date.now(), performance.now()];
      this.#goneSince = from;
      if (how === 'starve') Bun.spawnSync(['prlimit', `--pid=${supervisor}`, '--as=4096']);
      // Enough requests that it must allocate memory.
      if (how === 'starve')
        for (let count = 0; count < 20; count += 1) void ask(room.socket, 'GET', '/v1/graph', null, 2_000);
      else this.#signal(supervisor, how === 'kill' ? SIGKILL : how === 'crash' ? SIGSEGV : SIGSTOP);
      while (!room.isOver && room.supervisor === supervisor && performance.now() - from < HUNG + PATIENCE)
        await Bun.sleep(5);
      // It had enough free memory already, and was never away.
      const hasSurvived = room.supervisor === supervisor;
      if (hasSurvived) Bun.spawnSync(['prlimit', `--pid=${supervisor}`, '--as=unlimited']);
      while (!room.isOver && (await ask(room.socket, 'GET', '/v1/status', null, PATIENCE)) === null)
        await Bun.sleep(20);
      this.#stoppedFor += performance.now() - from;
      this.#goneSince = null;
      if (!hasSurvived) this.away.push({ from: began, to: Date.now() });
    }
    this.ended += turns;
    return `${how}, ${turns} times`;
  }

  /** All processes except svc-super, its supervisor and an init above them. */
  #others(): Seen[] {
    const { pid1, supervisor } = this.#room;
    return this.#all().filter(({ outer, pid }) => pid !== 1 && outer !== pid1 && outer !== supervisor);
  }

  /** Signals every process as scancel does: leaves first, then the supervisor, then PID 1. */
  async #termTree(gap: number): Promise<string> {
    if (this.treeSignalled !== null) return 'signalled already';
    const { pid1, supervisor } = this.#room;
    const others = this.#others().filter(({ state }) => state !== 'Z');
    const parents = new Map(others.map(({ outer, outerParent }) => [outer, outerParent]));
    const depthOf = (outer: number): number => {
      const parent = parents.get(outer);
      return parent === undefined ? 0 : 1 + depthOf(parent);
    };
    others.sort((a, b) => depthOf(b.outer) - depthOf(a.outer));
    const from = Date.now();
    for (const { outer, pid } of others) {
      this.sent.push({ at: Date.now(), pid, signal: SIGTERM });
      this.#signal(outer, SIGTERM);
    }
    this.#signal(supervisor, SIGTERM);
    if (gap > 0) await Bun.sleep(gap);
    this.#signal(pid1, SIGTERM);
    this.treeSignalled = { from, to: Date.now() };
    return `${others.length} processes, then PID 1 after ${this.treeSignalled.to - from} ms`;
  }

  /** Replaces a log file or its folder, as the service's user. */
  async #swapLog(what: Swap, pick: number, turns: number, ms: number): Promise<string> {
    const owners = this.#room.scenario.services.filter(({ user }) => user);
    const spec = owners[pick % Math.max(1, owners.length)];
    if (spec === undefined) return 'no service runs as another user';
    if (this.#swapped.has(spec.name)) return `${spec.name}: replaced already`;
    const names = logNamesOf(spec);
    const name = names[pick % Math.min(names.length, spec.replicas)] ?? '';
    this.#swapped.add(spec.name);
    try {
      const child = Bun.spawn({
        cmd: ['/usr/bin/perl', SWAP, `${OTHER_USER}`, what, name, this.#room.vault, `${turns}`, `${ms}`],
        cwd: join(this.#room.disk, ownFolderOf(spec)),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      this.#last(ms, () => child.kill('SIGTERM'));
      const [said, wrong] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      return `${name} by ${what}: ${said}${wrong.slice(0, 300)}`;
    } catch (error) {
      return `${name}: not replaced: ${error}`;
    } finally {
      this.#swapped.delete(spec.name);
    }
  }

  /** A service's name, including the common name of replicas. */
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
        // There is not that much space; or the supervisor has ended, and its mounts with it.
      }
    }
    this.#last(ms, () => {
      try {
        rmSync(path, { force: true });
      } catch {
        // It has ended with the supervisor.
      }
    });
    return '';
  }

  async #operate(name: string, operation: string): Promise<string> {
    const answer = await ask(this.#room.socket, 'POST', `/v1/services/${name}/${operation}`, {}, PATIENCE);
    return `${name}: ${answer?.status ?? 'no answer'}`;
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
