// Hooks as they are written: a command, or a command with a deadline; before a stop also something to wait for. What may be
// waited for is a probe, and what it is asked of is the service.
import { type CommandValue, command } from './command.ts';
import { field, type Given, isUnderstood, object } from './field.ts';
import { PROBE, type ProbeConfig } from './probe-schema.ts';
import { INVALID, inFlow } from './reading.ts';
import { byKind, duration, refined, type Shape } from './shape.ts';
import type { ListNode, ScalarNode } from './tree.ts';

/** Milliseconds; null where nothing was said. */
export interface HookConfig {
  readonly command: CommandValue;
  readonly timeout: number | null;
}

export interface DrainConfig {
  readonly wait_for: ProbeConfig;
  readonly timeout: number | null;
}

export const HOOK = {
  command: field(command(), "a command, as the service's own"),
  timeout: field(duration(1), 'past it the command and all it started are killed', '`1m`'),
} as const;

const KINDS = ['http', 'tcp', 'exec', 'file'] as const;

/** Of a probe only what makes sense of something that is asked until it holds once. */
const { http, tcp, exec, file, timeout, interval } = PROBE;
const WAIT_FOR = { http, tcp, exec, file, timeout, interval } as const;

const waitFor: Shape<ProbeConfig> = refined(
  object(WAIT_FOR, {
    owner: '`wait_for`',
    elsewhere: {
      log: 'what a service has printed does not tell that it is idle: ask it',
      notify: 'what it has said once does not tell that it is idle: ask it',
      failures: 'it is asked until it holds, or until the time is over',
      successes: 'it is asked until it holds once',
      matches: 'write it in `http`: `http: {path: …, matches: …}`',
    },
  }),
  (given, node, _name, reading): ProbeConfig | typeof INVALID => {
    const kinds = KINDS.filter((kind) => node.kind === 'map' && node.entries.has(kind));
    if (kinds.length === 1) return given;
    const [first, second] = kinds;
    if (second === undefined && !isUnderstood(node, given)) return INVALID;
    if (second === undefined) {
      const listed = KINDS.map((kind) => `\`${kind}\``).join(', ');
      return reading.report(node, 'missing-key', `\`wait_for\` must have one of ${listed}`);
    }
    return reading.report(
      node,
      'contradiction',
      `\`wait_for\` has one kind: this one has \`${first}\` and \`${second}\``,
    );
  },
);

export const BEFORE_STOP = {
  ...HOOK,
  wait_for: field(waitFor, 'instead of a command: a probe that must hold (`http`, `tcp`, `exec`, `file`)'),
  timeout: field(duration(1), 'past it the stop signal is sent all the same', 'three quarters of the time there is'),
} as const;

/** A command in any of its forms, or a map with one. */
function hook(): Shape<HookConfig> {
  const wanted = 'a command, or `{command, timeout}`';
  return byKind<HookConfig, HookConfig, HookConfig>(wanted, {
    scalar: refined(command(), (value): HookConfig => ({ command: value, timeout: null })),
    list: refined(command(), (value): HookConfig => ({ command: value, timeout: null })),
    map: refined(object(HOOK, { owner: 'a hook' }), (given, node, name, reading): HookConfig | typeof INVALID => {
      if (given.command !== undefined) return { command: given.command, timeout: given.timeout ?? null };
      if (!isUnderstood(node, given)) return INVALID;
      return reading.report(node, 'missing-key', `${name} has no \`command\``);
    }),
  });
}

function drain(): Shape<HookConfig | DrainConfig> {
  const wanted = 'a command, `{command, timeout}`, or `{wait_for, timeout}`';
  const map = refined(
    object(BEFORE_STOP, { owner: '`before_stop`' }),
    (given: Given<typeof BEFORE_STOP>, node, name, reading): HookConfig | DrainConfig | typeof INVALID => {
      const has = (key: string): boolean => node.kind === 'map' && node.entries.has(key);
      if (has('command') && has('wait_for')) {
        return reading.report(node, 'contradiction', `${name} either runs a command or waits`, {
          suggestion: 'a command can wait by itself',
        });
      }
      const limit = given.timeout ?? null;
      if (given.wait_for !== undefined) return { wait_for: given.wait_for, timeout: limit };
      if (given.command !== undefined) return { command: given.command, timeout: limit };
      if (!isUnderstood(node, given)) return INVALID;
      return reading.report(node, 'missing-key', `${name} has neither \`command\` nor \`wait_for\``);
    },
  );
  const plain = (value: CommandValue): HookConfig => ({ command: value, timeout: null });
  return byKind<HookConfig, HookConfig, HookConfig | DrainConfig>(wanted, {
    scalar: refined(command(), plain),
    list: refined(command(), plain),
    map,
  });
}

export const HOOKS = {
  before_start: field(hook(), 'before the program of each run; its failure is a failed start'),
  after_ready: field(hook(), 'each time that it has become ready after a start; nobody waits for it'),
  before_stop: field(
    drain(),
    'before the stop signal, once it has been ready: a command, or `{wait_for: {http: …}}` until which it is left to finish',
  ),
  after_exit: field(
    hook(),
    'when no process of a run is left, before the next one; `SVC_EXIT_CODE` and `SVC_EXIT_SIGNAL` say how it ended',
  ),
} as const;

/** A command that does not say when. */
export function adviseHooks(given: ScalarNode | ListNode): string {
  const names = Object.keys(HOOKS).map((name) => `\`${name}\``);
  const when = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  const example = given.kind === 'scalar' ? `, such as \`{before_start: ${inFlow(given.text)}}\`` : '';
  return `say when it runs: ${when}${example}`;
}
