// Rules about order and time: starts after a request to stop, the conditions of stages, and deadlines that pass while the
// supervisor is stopped. Pure.
import type { Observation, Span, Told } from './observation.ts';
import { type Run, readRuns, stoppingIn } from './runs.ts';
import { type Scenario, type ServiceSpec, specOf } from './scenario.ts';

/** A SIGTERM to PID 1 explains earlier deaths by SIGTERM up to this time, milliseconds. The supervisor waits 100 ms. */
const EXPLAINED = 60;
/** The supervisor may not detect a shorter absence, milliseconds: then deadlines do not move. */
const RECOGNIZED = 2_100;
/** Time limit of a start in progress, milliseconds. */
const UNDER_WAY = 250;
/** Spawns by which the report of a start may be late on a busy machine. */
const SPAWNS = 4;
const [SIGTERM, CODE_OF_SIGTERM] = [15, 143];

/** Whether the SIGTERM to every process explains the exit of this run, and PID 1 received it soon enough. */
export function isExplainedByTree({ pid, end, to }: Run, { treeSignalled, sent, reported }: Observation): boolean {
  if (treeSignalled === null || treeSignalled.to - treeSignalled.from > EXPLAINED) return false;
  const { at = 0, text = '' } = reported[to ?? -1] ?? {};
  if (end?.how === 'not-started')
    return at >= treeSignalled.from && text.includes('before_start failed: killed by SIGTERM');
  const isMet = sent.some((one) => one.pid === pid && one.signal === SIGTERM && one.at >= treeSignalled.from);
  const isLikeIt = end?.how === 'signal' ? end.signal === SIGTERM : end?.how === 'code' && end.code === CODE_OF_SIGTERM;
  return isMet && isLikeIt;
}

/** A start that was in progress when everything was stopped is reported after the stop. */
export function startsWhileStopping(seen: Observation): string[] {
  const { reported, journal, control } = seen;
  const stopping = reported[stoppingIn(reported)];
  const latest = (stopping?.at ?? Number.POSITIVE_INFINITY) + UNDER_WAY + SPAWNS * control;
  const { runs } = readRuns(reported);
  const started = runs.flatMap(({ service, pid, from }) => {
    const report = reported[from];
    if (report?.event !== 'started') return [];
    const born = journal.find((noted) => noted.what === 'born' && noted.service === service && noted.pid === pid);
    if (Math.min(report.at, born?.at ?? report.at) <= latest) return [];
    return [`${service} ${report.text} after: ${stopping?.text}`];
  });
  const restarted = runs
    .filter((run) => run.event === 'restarting' && isExplainedByTree(run, seen))
    .map(({ service, to }) => `${service} restarts after SIGTERM to every process: ${reported[to ?? 0]?.text}`);
  return [...started, ...restarted];
}

/** Whether a member of a stage meets the condition of the next stage; a member stopped by hand is ignored. */
function hasHeld({ type, ready, replicas, name }: ServiceSpec, before: readonly Told[]): boolean {
  const event = type === 'task' ? 'completed' : ready === null ? 'started' : 'ready';
  const names = replicas > 1 ? Array.from({ length: replicas }, (_, copy) => `${name}.${copy}`) : [name];
  return names.every((one) =>
    before.some(
      (reported) => reported.service === one && (reported.event === event || reported.event === 'stop-asked'),
    ),
  );
}

function membersOfStageBefore({ groups, services }: Scenario, { group }: ServiceSpec): ServiceSpec[] {
  for (let stage = groups.indexOf(group ?? '') - 1; stage >= 0; stage -= 1) {
    const members = services.filter((other) => other.group === groups[stage]);
    if (members.length > 0) return members;
  }
  return [];
}

/** Checks the time before the first reload: after it the stages may contain other services. */
export function startsBeforeItsStage({ reported, scenario }: Observation): string[] {
  const reloaded = reported.findIndex(({ event }) => event === 'reloaded');
  const judged = reloaded < 0 ? reported : reported.slice(0, reloaded);
  return judged.flatMap(({ service, event, text }, at) => {
    const spec = service === null || event !== 'started' ? undefined : specOf(scenario, service);
    if (spec === undefined) return [];
    const before = judged.slice(0, at);
    return membersOfStageBefore(scenario, spec)
      .filter((member) => !hasHeld(member, before))
      .map(({ name, group }) => `${service} (stage ${spec.group}) ${text} before ${name} (stage ${group}) was ready`);
  });
}

/** The part of an interval in absences that the supervisor must detect, milliseconds. */
function absenceIn({ from, to }: Span, away: readonly Span[]): number {
  return away
    .filter((span) => span.to - span.from >= RECOGNIZED)
    .reduce((sum, span) => sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), 0);
}

/** How long the run was stopping according to the event; null: the text has no such time. */
function durationIn(text: string): number | null {
  const [, count, unit] = /^did not stop within ([\d.]+) (ms|s):/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * (unit === 's' ? 1_000 : 1);
}

/** Deadlines move by an absence: `start_timeout`, and a service's own `stop.timeout` outside a shutdown. */
export function deadlinesInAbsence(seen: Observation): string[] {
  return [...startsCutShort(seen), ...stopsCutShort(seen)];
}

/** Null if there was no absence or the remaining time is close to the deadline; otherwise the remaining time, milliseconds. */
function cutShort(from: number, to: number, deadline: number, { away, control }: Observation): number | null {
  const absence = absenceIn({ from, to }, away);
  const had = to - from - absence;
  // The start is reported when the program is executed, but the time runs from the spawn.
  return absence === 0 || had + SPAWNS * control >= deadline / 2 ? null : had;
}

function startsCutShort(seen: Observation): string[] {
  return readRuns(seen.reported).runs.flatMap(({ service, from, to, end }) => {
    const deadline = specOf(seen.scenario, service)?.ready?.timeout;
    const [begin, late] = [seen.reported[from], seen.reported[to ?? -1]];
    if (end?.how !== 'start-timeout' || deadline === undefined || begin?.event !== 'started' || late === undefined)
      return [];
    const had = cutShort(begin.at, late.at, deadline, seen);
    return had === null ? [] : [`${service} ${late.text}, and it had ${had} ms`];
  });
}

/** In a shutdown a service may get less than its own time, so that others get some too. */
function stopsCutShort(seen: Observation): string[] {
  const stopping = stoppingIn(seen.reported);
  const judged = stopping < 0 ? seen.reported : seen.reported.slice(0, stopping);
  return judged.flatMap(({ service, event, at, text }) => {
    const took = event === 'killed' ? durationIn(text) : null;
    const deadline = specOf(seen.scenario, service ?? '')?.stop.timeout;
    if (took === null || deadline === undefined || deadline === null) return [];
    const had = cutShort(at - took, at, deadline, seen);
    return had === null ? [] : [`${service} ${text}, and it had ${had} ms of ${deadline}`];
  });
}
