// The invariants of every round. Each is a function from the observation to a list of breaches as texts; its test shows that
// it can fail. Pure.
import { STOP_TIMEOUT } from './configure.ts';
import { codes, firstCauses, isJustified, wrongHookResults } from './ends.ts';
import type { Observation } from './observation.ts';
import { deadlinesInAbsence, startsBeforeItsStage, startsWhileStopping } from './order.ts';
import { readRuns } from './runs.ts';
import { specOf } from './scenario.ts';

export interface Breach {
  readonly invariant: string;
  readonly text: string;
}

/** Spawns that may delay a response beyond its limit: on a busy machine each takes as long as the control program. */
const SPAWNS = 4;
/** Limit of a zombie's age, by the fair clock, milliseconds. */
const OLDEST_ZOMBIE = 1_000;
/** Limit of a response, by the fair clock, milliseconds. */
const SLOWEST_ANSWER = 3_000;
/** Limit of the anonymous memory of svc-super and its supervisor together, for a few services, bytes. */
export const MOST_MEMORY = 192 * 1024 * 1024;
/** Time after the shutdown's own deadline: for the last exits, the last output, the exit of the process. */
const AFTER_DEADLINE = 4_000;

type Invariant = (seen: Observation) => string[];

export const INVARIANTS = {
  /** A run that cannot take the lock of its service has met a process of an earlier run. */
  'never two runs at the same time': ({ journal }) =>
    journal
      .filter(({ beside }) => beside)
      .map(({ service, run, pid, what, value }) => {
        const who = what === 'hook' ? `${value} of ${service}` : service;
        return `${who} run ${run} (pid ${pid}) began while a process of another run existed`;
      }),

  'a hook receives the exit of its run': wrongHookResults,

  'every run has one end': (seen) => {
    const { runs, odd } = readRuns(seen.reported);
    const gaveUp = seen.reported.some(({ event }) => event === 'unfinished');
    const open = runs.filter(({ end }) => end === null);
    if (seen.end === null || seen.end.signal !== null || gaveUp) return odd;
    return [...odd, ...open.map(({ service, pid }) => `${service} (pid ${pid}): its exit was never reported`)];
  },

  'every exit status is right': (seen) => {
    const { runs } = readRuns(seen.reported);
    return runs.flatMap((run) => isJustified(run, seen) ?? []);
  },

  'no exit is lost': (seen) => {
    const { runs } = readRuns(seen.reported);
    const known = new Set(runs.map(({ service, pid }) => `${service} ${pid}`));
    const untold = new Set(runs.filter(({ pid }) => pid === null).map(({ service }) => service));
    return seen.journal
      .filter(({ what, service, pid }) => what === 'born' && !known.has(`${service} ${pid}`) && !untold.has(service))
      .map(({ service, run, pid }) => `${service} run ${run} (pid ${pid}) existed, and was never reported`);
  },

  'no zombie older than a second': ({ zombies, control }) =>
    zombies
      .filter(({ age }) => age > OLDEST_ZOMBIE + SPAWNS * control)
      .map(({ pid, name, age }) => `${name} (pid ${pid}) was a zombie for ${age.toFixed(0)} ms at least`),

  'nothing remains': ({ left, files }) => [
    ...left.map((line) => `still running after the supervisor's end: ${line}`),
    ...files.map((name) => `left in the folder: ${name}`),
  ],

  'the first cause determines the exit code': (seen) => {
    const { end } = seen;
    if (end === null || end.signal !== null) return [];
    const { expected, why } = codes(seen);
    const wrong = expected.has(end.code ?? -1)
      ? []
      : [`ended with ${end.code}, not with ${[...expected].join(' or ')}: ${why}`];
    return [...wrong, ...firstCauses(seen)];
  },

  '`status` always responds': ({ asked, control }) =>
    asked
      .filter(({ answered, took }) => !answered || took > SLOWEST_ANSWER + SPAWNS * control)
      .map(({ took, answered }) => `${answered ? 'answered' : 'no answer'} after ${took.toFixed(0)} ms`),

  'services that must restart do': ({ stood, scenario }) =>
    stood
      .filter(({ name, state, wanted, blocked }) => {
        const spec = specOf(scenario, name);
        const mayEnd = spec?.restart !== 'always' || wanted !== 'up' || blocked;
        return !mayEnd && /^(failed|completed|stopped)$/.test(state);
      })
      .map(({ name, state }) => `${name} is ${state}, and must always be restarted`),

  'memory is bounded': ({ most }) =>
    most.memory > MOST_MEMORY ? [`${(most.memory / 1_048_576).toFixed(0)} MiB of their own`] : [],

  'it stops on request': ({ end, control }) => {
    if (end === null) return ['it had to be killed'];
    if (end.signal !== null) return [`it was ended by ${end.signal}`];
    if (end.code === 70) return ['it ended with 70'];
    const took = end.took ?? 0;
    return took > STOP_TIMEOUT + AFTER_DEADLINE + SPAWNS * control ? [`it took ${took.toFixed(0)} ms`] : [];
  },

  'nothing starts after a request to stop': startsWhileStopping,

  'a stage waits for the previous one': startsBeforeItsStage,

  'deadlines move by the absence of the supervisor': deadlinesInAbsence,

  'nothing outside a log folder is changed': ({ outside }) => [...outside],

  'a reload accepts exactly the valid files': ({ done }) =>
    done.filter(({ note }) => note.startsWith('WRONG')).map(({ note }) => note),

  'both accounts of events agree': ({ served, reported }) => {
    let at = 0;
    const missing: string[] = [];
    for (const { seq, service, event, text } of served) {
      const found = reported.findIndex(
        (other, place) => place >= at && other.service === service && other.event === event && other.text === text,
      );
      if (found < 0) missing.push(`event ${seq} was served and never printed: ${service ?? ''} ${text}`);
      else at = found + 1;
    }
    return missing;
  },

  'no bug is reported': ({ strange, reported }) => [
    ...strange,
    ...reported.filter(({ event }) => event === 'bug').map(({ text }) => text),
  ],
} as const satisfies Readonly<Record<string, Invariant>>;

export function judge(seen: Observation): Breach[] {
  return Object.entries(INVARIANTS).flatMap(([invariant, check]) =>
    check(seen)
      .slice(0, 5)
      .map((text) => ({ invariant, text })),
  );
}
