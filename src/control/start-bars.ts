// The bars of a start over time, as `timeline`, `top` and the dashboard draw them: which services have one, where it begins and
// where it ends. The dashboard is bundled for a browser: this file imports types only. Pure.
import type { WireSpan, WireTimeline } from './wire.ts';

/** The bar of a service, in milliseconds since the supervisor began. */
export interface StartBar extends WireSpan {
  readonly from: number;
  readonly to: number;
  /** Whether the bar ends at the reading, because the service is not ready and a run of it is under way. */
  readonly isOpen: boolean;
}

/**
 * The services that have been started, in that order. A bar ends when its service was ready or, for a task, completed; else when its
 * latest run ended; else now. `end`: the end of the last bar, at least 1 ms.
 */
export function startBars({ services, elapsed_ms: now }: WireTimeline): {
  readonly bars: readonly StartBar[];
  readonly end: number;
} {
  const bars = services
    .flatMap((span): StartBar[] => {
      const { started_ms: from, ready_ms, ended_ms } = span;
      const over = ready_ms ?? ended_ms;
      return from === null ? [] : [{ ...span, from, to: over ?? now, isOpen: over === null }];
    })
    .sort((a, b) => a.from - b.from || a.to - b.to);
  return { bars, end: Math.max(1, ...bars.map(({ to }) => to)) };
}
