// Hooks in the form that the runtime needs: defaults and the service's own port are filled in. Runs none.
import { toArgv } from '../config/command.ts';
import type { ServiceConfig } from '../config/config.ts';
import type { HookConfig } from '../config/hook-values.ts';
import type { Hook, Hooks, Millis } from './plan.ts';
import { toProbeOf } from './probes.ts';
import type { Problems } from './problems.ts';

const TIMEOUT: Millis = 60_000;
/** Between two attempts of a `wait_for` without `interval`. */
const DRAIN_INTERVAL: Millis = 250;

export function toHooks(service: ServiceConfig, problems: Problems): Hooks {
  const { before_start, after_ready, before_stop, after_exit } = service.hooks;
  return {
    beforeStart: toHook(before_start),
    afterReady: toHook(after_ready),
    beforeStop: toBeforeStop(service, before_stop, problems),
    afterExit: toHook(after_exit),
  };
}

function toHook(hook: HookConfig | null): Hook | null {
  return hook === null ? null : { argv: toArgv(hook.command), timeout: hook.timeout ?? TIMEOUT };
}

function toBeforeStop(
  service: ServiceConfig,
  hook: ServiceConfig['hooks']['before_stop'],
  problems: Problems,
): Hooks['beforeStop'] {
  if (hook === null) return null;
  const { timeout } = hook;
  if ('command' in hook) return { argv: toArgv(hook.command), timeout };
  const { wait_for: config } = hook;
  const probe = toProbeOf(service, config, ['hooks', 'before_stop', 'wait_for'], problems);
  return probe === null ? null : { waitFor: { ...probe, interval: config.interval ?? DRAIN_INTERVAL }, timeout };
}
