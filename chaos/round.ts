// One round: a room, the faults, the watch, the healing, the request to stop, and the observation.
import { EventFollower } from './api.ts';
import { Injector } from './inject.ts';
import { type Breach, judge } from './invariants.ts';
import {
  type Ended,
  mergeTold,
  type Observation,
  parseJournal,
  parseTold,
  WORDS_OF_THE_RUNTIME,
} from './observation.ts';
import { Processes } from './proc.ts';
import { Room } from './room.ts';
import type { Scenario } from './scenario.ts';
import { Watch } from './watch.ts';

/** Time limit of the supervisor's first response, milliseconds. */
const START = 30_000;
/** Between healing and the request to stop, milliseconds: services restart in this time. */
const SETTLE = 500;
/** Limits by the fair clock and by wall time: after both, a supervisor that was asked to stop will never stop. */
const FAIR_PATIENCE = 15_000;
const REAL_PATIENCE = 90_000;
const LOOK_EVERY = 20;

export interface Outcome {
  readonly observation: Observation;
  readonly breaches: readonly Breach[];
  /** The last part of standard error. */
  readonly latest: readonly string[];
}

const rooms = new Set<Room>();

/** Kills the running round if the harness receives a signal. */
export function killRounds(): void {
  for (const room of rooms) room.kill();
}

export async function runRound(scenario: Scenario): Promise<Outcome> {
  const room = new Room(scenario);
  rooms.add(room);
  const processes = new Processes();
  const injector = new Injector(room, processes);
  const watch = new Watch(room, injector, processes);
  let follower: EventFollower | undefined;
  try {
    await room.begin();
    watch.begin();
    // An earlier fault may meet a supervisor that does not handle signals yet.
    await until(room, START, () => watch.isUp);
    follower = new EventFollower(room.socket);
    injector.begin();
    await until(room, scenario.length, () => injector.treeSignalled !== null);
    await injector.heal();
    if (injector.treeSignalled === null) await until(room, SETTLE);
    const end = await finish(room, watch, injector);
    const excused = watch.excused;
    await watch.end();
    follower.stop();
    const strays = end === null ? [] : room.strays;
    const { left } = room;
    await drained(room);
    const { reported, strange } = parseTold(room.stderr.lines);
    const observation: Observation = {
      scenario,
      journal: parseJournal(room.journal),
      reported: injector.ended === 0 ? reported : mergeTold(reported, follower.events),
      served: follower.events,
      sent: injector.sent,
      done: injector.done,
      zombies: watch.zombies,
      asked: watch.asked,
      control: watch.control,
      stood: watch.stood,
      most: watch.most,
      end,
      left,
      files: strays,
      excused,
      treeSignalled: injector.treeSignalled,
      away: injector.away,
      outside: room.outside,
      strange: injector.hasCrashed ? strange.filter((text) => !WORDS_OF_THE_RUNTIME.test(text)) : strange,
    };
    return { observation, breaches: judge(observation), latest: [...room.stderr.latest] };
  } finally {
    follower?.stop();
    await injector.heal();
    await watch.end();
    await room.close();
    rooms.delete(room);
  }
}

/** Waits for a time, or until the supervisor has ended or a condition holds. */
async function until(room: Room, ms: number, isSo: () => boolean = () => false): Promise<void> {
  const from = performance.now();
  while (!room.isOver && !isSo() && performance.now() - from < ms) await Bun.sleep(LOOK_EVERY);
}

/** Requests the stop, unless `term-tree` has done so, and waits; null if it does not stop. */
async function finish(room: Room, watch: Watch, { treeSignalled }: Injector): Promise<Ended | null> {
  const alone = room.exit;
  if (alone !== null) return { ...alone, at: Date.now(), askedAt: treeSignalled?.to ?? null, took: null };
  const askedAt = treeSignalled?.to ?? Date.now();
  const [fair, real] = [watch.read(), performance.now()];
  if (treeSignalled === null) room.signal(15);
  for (;;) {
    const { exit } = room;
    if (exit !== null) return { ...exit, at: Date.now(), askedAt, took: watch.read() - fair };
    if (watch.read() - fair > FAIR_PATIENCE || performance.now() - real > REAL_PATIENCE) return null;
    await Bun.sleep(LOOK_EVERY);
  }
}

async function drained(room: Room): Promise<void> {
  await Promise.race([Promise.all([room.stdout.finished, room.stderr.finished]), Bun.sleep(3_000)]);
}
