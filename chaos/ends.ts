// Which exits of a run and which exit codes of the container are correct, given what its program wrote and what was done to
// it. A second, independent implementation of the rules of the reference, to compare the product with. Pure.
import type { Noted, Observation, Told } from './observation.ts';
import { isExplainedByTree } from './order.ts';
import { type Run, readRuns, stoppingIn, type ToldEnd } from './runs.ts';
import { type ServiceSpec, specOf } from './scenario.ts';

const [SIGINT, SIGKILL, SIGTERM] = [2, 9, 15];
/** Two exits within this time, milliseconds, may be observed in either order. */
const SAME_TIME = 2_000;
/** Events after which the supervisor itself may stop a run. */
const REASONS = /^(stop-asked|restart-asked|stopping|killing|killed|reloaded|removed|stopped|unfinished)$/;

/** Null if the reported exit is possible for the run; otherwise the reason why it is not. */
export function isJustified(run: Run, seen: Observation): string | null {
  const { end, pid, service } = run;
  if (end === null || pid === null) return null;
  const own = seen.journal.filter((noted) => noted.service === service && noted.pid === pid);
  const last = own.findLast(({ what }) => what === 'code' || what === 'signal');
  if (end.how === 'code') {
    if (last?.what === 'code' && Number(last.value) === end.code) return null;
    return `${service} (pid ${pid}) was reported to have exited with ${end.code}; ${describeLast(last)}`;
  }
  if (end.how !== 'signal') return null;
  const { signal } = end;
  if (last?.what === 'signal' && Number(last.value) === signal) return null;
  if (seen.sent.some((sent) => sent.pid === pid && sent.signal === signal)) return null;
  if (isSignalledByApi(run, seen.reported, signal)) return null;
  if ([SIGINT, SIGKILL, SIGTERM].includes(signal) && wasBeingEnded(run, seen.reported)) return null;
  return `${service} (pid ${pid}) was reported to have been killed by signal ${signal}; ${describeLast(last)}`;
}

function describeLast(last: Noted | undefined): string {
  return last === undefined ? 'its journal has no exit' : `its journal has ${last.what} ${last.value}`;
}

function isSignalledByApi(run: Run, reported: readonly Told[], signal: number): boolean {
  const { service, from, to } = run;
  return reported.some(
    (one, at) =>
      at >= from && at <= (to ?? at) && one.service === service && one.event === 'signal-asked' && signal > 0,
  );
}

/** Whether the supervisor had a reason to stop it. */
function wasBeingEnded({ service, from, to, event }: Run, reported: readonly Told[]): boolean {
  if (event === 'stopped') return true;
  return reported.some(
    (one, at) =>
      at >= from && at <= (to ?? at) && (one.service === service || one.service === null) && REASONS.test(one.event),
  );
}

/** The exit codes that are correct for the container, and why. */
export function codes(seen: Observation): { readonly expected: ReadonlySet<number>; readonly why: string } {
  const { reported, end } = seen;
  const stopping = stoppingIn(reported);
  const allEnded = reported.find(({ event }) => event === 'all-ended');
  if (stopping < 0) {
    if (allEnded === undefined) return { expected: new Set(), why: 'no reason was reported' };
    const code = Number(/ending with code (\d+)/.exec(allEnded.text)?.[1]);
    if (isCodeOfTree(code, seen))
      return {
        expected: new Set([0, 137]),
        why: `SIGTERM went to every process, and svc-super reported: ${allEnded.text}`,
      };
    return { expected: new Set([code]), why: allEnded.text };
  }
  const first = reported[stopping]?.text ?? '';
  if (/^stopping everything: \S+ can never start/.test(first)) return codesOfFailures(seen, stopping, first);
  const name = /^stopping everything: (\S+) (?:ended|failed)/.exec(first)?.[1];
  if (name === undefined) {
    if (end?.askedAt === null) return { expected: new Set(), why: `no stop was requested, but: ${first}` };
    const killed = reported.slice(stopping).some(isKill);
    return { expected: new Set([killed ? 137 : 0]), why: `${first}; something was ${killed ? '' : 'not '}killed` };
  }
  const spec = specOf(seen.scenario, name);
  const run = readRuns(reported).runs.find(
    ({ service, to }) => service === name && to !== null && to === lastEndBefore(reported, name, stopping),
  );
  if (run !== undefined && isExplainedByTree(run, seen))
    return { expected: new Set([0, 137]), why: `SIGTERM went to every process, and svc-super reported: ${first}` };
  if (spec === undefined || run === undefined)
    return { expected: new Set(), why: `${name} was reported to have ended, and has not` };
  return { expected: verdicts(spec, run, seen), why: `${first}; its end: ${reported[run.to ?? 0]?.text}` };
}

/** Whether that code is only explained by runs that died of the SIGTERM to every process. */
function isCodeOfTree(code: number, seen: Observation): boolean {
  const failed = readRuns(seen.reported).runs.filter(({ event }) => event === 'failed');
  const others = failed.filter((run) => !isExplainedByTree(run, seen));
  return code === 128 + SIGTERM && others.length < failed.length && !codesOf(others, seen).includes(code);
}

/** The codes of failed services, one of which may be the reason why another never starts; 1 if there is none. */
function codesOfFailures(seen: Observation, stopping: number, why: string): ReturnType<typeof codes> {
  const failed = readRuns(seen.reported).runs.filter(
    ({ to, event }) => to !== null && to < stopping && event === 'failed',
  );
  return { expected: new Set([1, ...codesOf(failed, seen)]), why };
}

/** The codes with which these runs may end the container. */
function codesOf(runs: readonly Run[], seen: Observation): number[] {
  return runs.flatMap((run) => {
    const spec = specOf(seen.scenario, run.service);
    return spec === undefined ? [] : [...verdicts(spec, run, seen)];
  });
}

/** Something outlasted the shutdown. A hook that is killed at its own deadline has only failed. */
function isKill({ event, text }: Told): boolean {
  return /^(killed|killing|unfinished)$/.test(event) || text === 'after_exit was killed: the time to stop is over';
}

/** The event that reports the exit of the first cause: the last one of that service before everything is stopped. */
function lastEndBefore(reported: readonly Told[], name: string, stopping: number): number {
  return reported.findLastIndex(
    ({ service, event }, at) => at < stopping && service === name && (event === 'failed' || event === 'completed'),
  );
}

function verdicts(spec: ServiceSpec, run: Run, seen: Observation): Set<number> {
  const { end } = run;
  if (end === null) return new Set();
  switch (end.how) {
    case 'code':
    case 'signal':
      // Before readiness even a success code is a failure.
      if (seen.reported[run.to ?? -1]?.text.includes('before it was ready')) return new Set([shellCode(end) || 1]);
      return new Set([verdict(spec, end)]);
    case 'not-started': {
      // The code of the hook, if the hook is the reason.
      const hook = spec.hooks.find(({ when }) => when === 'before_start');
      const done = seen.sent.map(({ signal }) => 128 + signal);
      return new Set(hook === undefined ? [1] : [1, 124, hook.code, 128 + SIGKILL, ...done]);
    }
    case 'start-timeout':
      return new Set([124]);
    case 'not-alive': {
      // Its exit after the stop signal is in no message, so every possible code is accepted.
      const noted = seen.journal.findLast(({ pid, what }) => pid === run.pid && (what === 'code' || what === 'signal'));
      const own =
        noted === undefined ? [] : [noted.what === 'code' ? Number(noted.value) || 1 : 128 + Number(noted.value)];
      return new Set([...own, 128 + SIGINT, 128 + SIGKILL, 128 + SIGTERM]);
    }
    default:
      return new Set();
  }
}

/** The result that `after_exit` received must be the one that the supervisor reported. */
export function wrongHookResults(seen: Observation): string[] {
  const { runs } = readRuns(seen.reported);
  return seen.journal.flatMap((noted, at) => {
    if (noted.what !== 'after') return [];
    const born = seen.journal
      .slice(0, at)
      .findLast(({ what, service, run }) => what === 'born' && service === noted.service && run === noted.run);
    const end = runs.find(({ service, pid }) => service === noted.service && pid === born?.pid)?.end;
    if (end?.how !== 'code' && end?.how !== 'signal') return [];
    const expected = end.how === 'code' ? `${end.code}:` : `${128 + end.signal}:`;
    const fits = end.how === 'code' ? noted.value === expected : noted.value.startsWith(expected);
    return fits ? [] : [`${noted.service} run ${noted.run}: after_exit heard ${noted.value}, not ${expected}`];
  });
}

type OwnEnd = ToldEnd & { readonly how: 'code' | 'signal' };

const shellCode = (end: OwnEnd): number => (end.how === 'code' ? end.code : 128 + end.signal);

/** The exit of a main process as the container's code. */
export function verdict({ successCodes }: ServiceSpec, end: OwnEnd): number {
  const code = shellCode(end);
  if (successCodes.includes(code)) return 0;
  return code === 0 ? 1 : code;
}

/**
 * By the journals of the programs: which service must have ended everything, and when. It is a breach if the supervisor names
 * another one that exited clearly later, or if nothing follows.
 */
export function firstCauses(seen: Observation): string[] {
  const { reported, journal, excused } = seen;
  const slack = SAME_TIME + excused;
  const begin = reported.find(
    ({ event, service }) => service === null && (event === 'stopping' || event === 'all-ended'),
  );
  const beganAt = begin?.at ?? Number.POSITIVE_INFINITY;
  return journal.flatMap((noted) => {
    const spec = specOf(seen.scenario, noted.service);
    if (spec === undefined || !endsEverything(spec, noted, seen)) return [];
    if (wasTouched(noted, seen) || noted.at + slack >= beganAt) return [];
    return [
      `${noted.service} (pid ${noted.pid}) ended (${noted.what} ${noted.value}), and only ${((beganAt - noted.at) / 1_000).toFixed(1)} s later: ${begin?.text ?? 'nothing'}`,
    ];
  });
}

function endsEverything(spec: ServiceSpec, { what, value }: Noted, { scenario }: Observation): boolean {
  if ((what !== 'code' && what !== 'signal') || !spec.essential || spec.restart !== 'never' || scenario.exit === 'all')
    return false;
  const code = what === 'code' ? Number(value) : 128 + Number(value);
  const success = spec.successCodes.includes(code);
  return !success || (scenario.exit === 'first' && spec.type === 'service');
}

/** Whether the exit may have been requested: then it must not end the container. */
function wasTouched({ service, pid }: Noted, { reported, journal, sent }: Observation): boolean {
  if (journal.some((other) => other.pid === pid && other.service === service && other.what === 'heard')) return true;
  if (sent.some((other) => other.pid === pid)) return true;
  return reported.some(
    (one) => (one.service === service && /-asked$|^removed$/.test(one.event)) || one.event === 'reloaded',
  );
}
