// Hooks as written: a command, or a command with a timeout; before a stop also a condition to wait for, which is a probe of
// the service.
import { type CommandValue, command } from './command.ts';
import { field, type Given, isUnderstood, object } from './field.ts';
import { PROBE, type ProbeConfig } from './probe-schema.ts';
import { INVALID, inFlow } from './reading.ts';
import { byKind, duration, refined, type Shape } from './shape.ts';
import type { ListNode, ScalarNode } from './tree.ts';

/** Milliseconds; null: not given. */
export interface HookConfig {
  readonly command: CommandValue;
  readonly timeout: number | null;
}

interface DrainConfig {
  readonly wait_for: ProbeConfig;
  readonly timeout: number | null;
}

export const HOOK = {
  command: field(command(), "a command, in any form of the service's `command`"),
  timeout: field(duration(1), 'after that, the command and its process set are killed', '`1m`'),
} as const;

const KINDS = ['http', 'tcp', 'exec', 'file'] as const;

/** The fields of a probe that make sense for a probe that runs until it succeeds once. */
const { http, tcp, exec, file, timeout, interval } = PROBE;
const WAIT_FOR = { http, tcp, exec, file, timeout, interval } as const;

const waitFor: Shape<ProbeConfig> = refined(
  object(WAIT_FOR, {
    owner: '`wait_for`',
    elsewhere: {
      log: 'earlier output does not show that the service is idle: use `http`, `tcp`, `exec` or `file`',
      notify: 'an earlier notification does not show that the service is idle: use `http`, `tcp`, `exec` or `file`',
      failures: 'the probe runs until it succeeds, or until the `timeout` of `before_stop` is over',
      successes: 'the probe runs until it succeeds once',
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
      `\`wait_for\` must have one kind, not both \`${first}\` and \`${second}\``,
    );
  },
);

export const BEFORE_STOP = {
  ...HOOK,
  wait_for: field(waitFor, 'instead of a command: a probe that must succeed (`http`, `tcp`, `exec`, `file`)'),
  timeout: field(
    duration(1),
    'after that, the stop signal is sent',
    'three quarters of the time that is left for the stop',
  ),
} as const;

/** A command in any of its forms, or a map with a command. */
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
        return reading.report(node, 'contradiction', `${name} cannot have both \`command\` and \`wait_for\``, {
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
  before_start: field(hook(), "runs before the service's command in each run; if it fails, the start fails"),
  after_ready: field(hook(), 'runs when the service becomes ready after a start; nothing waits for it'),
  before_stop: field(
    drain(),
    'runs before the stop signal if the service has been ready: a command, or `{wait_for: {http: …}}`, a condition to wait for',
  ),
  after_exit: field(
    hook(),
    'runs after all processes of a run have ended and before the next run; `SVC_EXIT_CODE` and `SVC_EXIT_SIGNAL` contain the result',
  ),
} as const;

/** Suggests the map for a hook without its moment. */
export function adviseHooks(given: ScalarNode | ListNode): string {
  const names = Object.keys(HOOKS).map((name) => `\`${name}\``);
  const when = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  const example = given.kind === 'scalar' ? `, such as \`{before_start: ${inFlow(given.text)}}\`` : '';
  return `say when it runs: ${when}${example}`;
}
