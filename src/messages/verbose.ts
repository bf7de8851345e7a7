// The lines of `log.level: debug`: attempts of probes, signals, hooks and starts, for users who look for the cause of a delay.
// Prints nothing itself. The journal does not keep these lines, so `svc-super events` does not show them. Pure.
import type { Effect, Event, ServiceEffect, ServiceEvent } from '../core/event.ts';
import type { LeftoverProcess } from '../core/run.ts';
import { renderProcesses } from './ends.ts';

/** A line of the supervisor's own log at level `debug`. `event`: the type of the event or effect. */
export interface VerboseLine {
  readonly level: 'debug';
  readonly service: string;
  readonly event: string;
  readonly text: string;
}

/** The lines for one step of the core: first the line of its event, then those of its effects. Most have none. */
export function renderVerbose(event: Event, effects: readonly Effect[]): VerboseLine[] {
  const line = (service: string, type: string, text: string | null): VerboseLine[] =>
    text === null ? [] : [{ level: 'debug', service, event: type, text }];
  return [
    ...(event.type === 'service' ? line(event.service, event.event.type, renderEvent(event.event)) : []),
    ...effects.flatMap((effect) =>
      effect.type === 'service'
        ? line(effect.service, effect.effect.type, renderEffect(effect.effect, effect.run))
        : [],
    ),
  ];
}

function renderEvent(event: ServiceEvent): string | null {
  switch (event.type) {
    case 'probe-ended':
      return `probe attempt ${event.attempt} ${event.ok ? 'succeeded' : 'failed'}: ${event.detail}`;
    case 'latched':
      return `its \`log\` or \`notify\` probe (number ${event.index + 1}) has seen what it waits for`;
    case 'hook-ended':
      return `${event.hook} ${event.ok ? 'succeeded' : 'failed'} with code ${event.code}`;
    case 'exited':
      return event.exit.kind === 'code'
        ? `main process: exit code ${event.exit.code}`
        : `main process: ${event.exit.signal}`;
    case 'emptied':
      return `no process of the run is left${renderOutlived(event.leftovers)}`;
    default:
      return null;
  }
}

function renderOutlived(leftovers: readonly LeftoverProcess[]): string {
  return leftovers.length === 0 ? '' : `; these outlived its main process: ${renderProcesses(leftovers)}`;
}

function renderEffect(effect: ServiceEffect, run: number): string | null {
  switch (effect.type) {
    case 'spawn':
      return `run ${run} is being started`;
    case 'run-hook':
      return `${effect.hook} is being run`;
    case 'signal':
      return `is sent ${effect.signal}${effect.to === 'group' ? ', with its process group' : ''}`;
    case 'run-stop-command':
      return '`stop.command` is being run';
    case 'clean-up':
      return 'leftover processes are being ended';
    case 'kill':
      return 'is sent SIGKILL, with all of its processes';
    default:
      return null;
  }
}
