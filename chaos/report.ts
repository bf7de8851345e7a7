// The text report of a round: a line for each round, and all details of a failed one: breaches, scenario, faults, events.
// Pure.
import type { Breach } from './invariants.ts';
import type { Observation } from './observation.ts';
import type { Fault, Scenario, ServiceSpec } from './scenario.ts';

const EVENTS = 60;

/** The maxima of one round or of many. */
interface Extremes {
  readonly answer: number;
  readonly zombie: number;
  readonly memory: number;
  /** Of the control program, which does nothing. */
  readonly control: number;
}

export const NOTHING: Extremes = { answer: 0, zombie: 0, memory: 0, control: 0 };

export function extremesOf({ asked, zombies, most, control }: Observation): Extremes {
  return {
    answer: Math.max(0, ...asked.map(({ took }) => took)),
    zombie: Math.max(0, ...zombies.map(({ age }) => age)),
    memory: most.memory,
    control,
  };
}

export function larger(a: Extremes, b: Extremes): Extremes {
  return {
    answer: Math.max(a.answer, b.answer),
    zombie: Math.max(a.zombie, b.zombie),
    memory: Math.max(a.memory, b.memory),
    control: Math.max(a.control, b.control),
  };
}

export function renderExtremes({ answer, zombie, memory, control }: Extremes): string {
  const oldest = zombie === 0 ? 'no zombie above 250 ms' : `oldest zombie ${zombie.toFixed(0)} ms`;
  return `slowest answer ${answer.toFixed(0)} ms (/bin/true: ${control.toFixed(0)} ms), ${oldest}, both processes at most ${(memory / 1_048_576).toFixed(0)} MiB`;
}

/** How often each kind occurred, most frequent first: shows that faults were injected and had an effect. */
export class Tally {
  readonly #faults = new Map<string, number>();
  readonly #events = new Map<string, number>();

  add({ done, reported }: Observation): void {
    for (const { fault } of done) this.#faults.set(fault.kind, (this.#faults.get(fault.kind) ?? 0) + 1);
    for (const { event } of reported) this.#events.set(event, (this.#events.get(event) ?? 0) + 1);
  }

  render(): string[] {
    const list = (counts: ReadonlyMap<string, number>) =>
      [...counts]
        .sort(([, a], [, b]) => b - a)
        .map(([name, count]) => `${count} ${name}`)
        .join(', ');
    return [`faults: ${list(this.#faults)}`, `events: ${list(this.#events)}`];
  }
}

export function renderRound(seed: number, seen: Observation, breaches: readonly Breach[], seconds: number): string {
  const { scenario, end, reported } = seen;
  const how = breaches.length === 0 ? 'holds ' : 'BREAKS';
  const what = `${scenario.services.length} services, ${scenario.faults.length} faults, ${reported.length} events`;
  const ended = end === null ? 'no end' : `ended with ${end.code ?? end.signal}`;
  return `seed ${seed} ${how} ${seconds.toFixed(1)} s: ${what}, ${ended}, ${renderExtremes(extremesOf(seen))}`;
}

export function renderBreaches(breaches: readonly Breach[]): string[] {
  return breaches.map(({ invariant, text }) => `  ${invariant}: ${text}`);
}

/** All details of a failed round. */
export function renderStory({ scenario, reported, done }: Observation, latest: readonly string[]): string[] {
  const { seed: _, services, faults, surroundings, exit, length } = scenario;
  const begin = reported[0]?.at ?? 0;
  const since = (at: number) => `${((at - begin) / 1_000).toFixed(3).padStart(8)}`;
  const events = reported
    .slice(-EVENTS)
    .map(({ at, service, event, text }) => `${since(at)} ${service ?? ''} ${event}: ${text}`);
  return [
    `exit: ${exit}, ${length} ms, ${JSON.stringify(surroundings)}`,
    ...services.map(renderService),
    ...faults.map(renderFault),
    '--- faults',
    ...done.map(({ at, fault, note }) => `${since(at)} ${fault.kind} ${note}`),
    '--- events',
    ...events,
    ...(reported.length === 0 ? latest.slice(-20) : []),
  ];
}

function renderService({ name, program, ...more }: ServiceSpec): string {
  return `${name}: ${JSON.stringify(more)}\n    program: ${JSON.stringify(program)}`;
}

function renderFault({ at, kind, ...more }: Fault): string {
  return `at ${at} ms: ${kind} ${JSON.stringify(more)}`;
}

/** For `--replay`. */
export function renderReplay(scenario: Scenario): string {
  return JSON.stringify(scenario);
}
