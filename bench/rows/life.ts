// Exits: of a child, of the container after SIGTERM, and the restart of a killed service.
import { late, type Trial } from './trial.ts';

const SIGKILL = 9;
const SIGTERM = 15;
const SECONDS = 15;
/** After this time every contestant considers a service running; the longest requires a second. */
const SETTLED = 1_300;
/** The turns of a round are kept apart by this time. */
const QUIET = 400;

const ended: Trial = {
  name: 'end',
  rows: [
    { id: 'end', title: 'a child’s exit to the container’s end', unit: 'ms', better: 'less' },
    { id: 'code', title: 'the container’s code when a child exits with 7', unit: '', better: 'neither' },
  ],
  needs: ['end'],
  runs: { full: 20, quick: 5 },
  pace: 'turn by turn',
  async turn(entrant, { stage }) {
    await using up = stage(entrant, (mark) => ({
      services: [
        { name: 'one', argv: mark('one', 'run') },
        { name: 'two', argv: mark('two', 'exit', 300, 7) },
        { name: 'three', argv: mark('three', 'run') },
      ],
      whenOneEnds: 'end',
      labels: false,
    }));
    const end = await up.until(() => up.find('end', 'stage'), SECONDS * 1_000);
    const exit = up.find('exit', 'two');
    if (end === null || exit === undefined) return { end: late(SECONDS), code: 'none' };
    return { end: end.at - exit.at, code: String(end.value) };
  },
};

const stopped: Trial = {
  name: 'stop',
  rows: [{ id: 'stop', title: 'SIGTERM to the end, ten well-behaved services', unit: 'ms', better: 'less' }],
  needs: [],
  runs: { full: 20, quick: 3 },
  pace: 'round by round',
  async turn(entrant, { stage, alone }) {
    await using up = await alone(async () => {
      const stack = stage(entrant, (mark) => ({
        services: Array.from({ length: 10 }, (_, index) => ({ name: `s${index}`, argv: mark(`s${index}`, 'run') })),
        whenOneEnds: 'end',
        labels: false,
      }));
      await stack.allStarted(10, SECONDS * 1_000);
      return stack;
    });
    if (up.execs().length < 10) return { stop: 'did not start' };
    await Bun.sleep(SETTLED);
    const over = () => up.find('end', 'stage');
    const soon = await alone(() => {
      up.signal(up.init, SIGTERM);
      return up.until(over, QUIET);
    });
    const end = soon ?? (await up.until(over, SECONDS * 1_000));
    const asked = up.find('signalled', 'stage');
    if (end === null || asked === undefined) return { stop: late(SECONDS) };
    const told = up.events.filter(({ what }) => what === 'term').length;
    return { stop: told < 10 ? `tells only ${told} of 10` : end.at - asked.at };
  },
};

const restarted: Trial = {
  name: 'restart',
  rows: [{ id: 'restart', title: 'kill -9 of a service to its next exec', unit: 'ms', better: 'less' }],
  needs: ['restart'],
  runs: { full: 20, quick: 3 },
  pace: 'round by round',
  async turn(entrant, { stage, alone }) {
    await using up = await alone(async () => {
      const stack = stage(entrant, (mark) => ({
        services: [
          { name: 'one', argv: mark('one', 'run') },
          { name: 'two', argv: mark('two', 'run') },
        ],
        whenOneEnds: 'restart',
        labels: false,
      }));
      await stack.allStarted(2, SECONDS * 1_000);
      return stack;
    });
    if (up.execs().length < 2) return { restart: 'did not start' };
    await Bun.sleep(SETTLED);
    const inner = up.find('exec', 'one')?.value;
    const victim = [...up.processes()].find(([, pid]) => pid === inner)?.[0];
    if (victim === undefined) return { restart: 'did not run' };
    const soon = await alone(() => {
      up.signal(victim, SIGKILL);
      return up.until(() => up.execs()[2], QUIET);
    });
    const again = soon ?? (await up.until(() => up.execs()[2], SECONDS * 1_000));
    const killed = up.find('signalled', 'stage');
    return { restart: again === null || killed === undefined ? late(SECONDS) : again.at - killed.at };
  },
};

export const LIFE: readonly Trial[] = [ended, stopped, restarted];
