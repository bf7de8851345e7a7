// The lines of `log.level: debug`: attempts of probes, signals, hooks and starts, for users who look for the cause of a delay.
// They are printed and not kept: `svc-super events` does not have them.
import type { Effect, Event, ServiceEffect, ServiceEvent } from '../core/event.ts';

export interface VerboseLine {
  readonly level: 'debug';
  readonly service: string;
  readonly event: string;
  readonly text: string;
}

/** The lines for one step of the core: its event first, then its effects. */
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
      return 'no process of the run is left';
    default:
      return null;
  }
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
