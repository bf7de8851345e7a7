// The commands that talk to a supervisor, as a table. What runs is loaded when it runs: `status` is to start in no time.
import type { WireService } from '../control/wire.ts';
import { type Command, EXIT, JSON_FLAG } from './command.ts';

const GROUP = { type: 'string', short: 'g', value: 'GROUP', summary: 'all members of that group' } as const;
const ALL = { type: 'boolean', short: 'a', summary: 'all services' } as const;
const SOCKET = {
  type: 'string',
  value: 'PATH',
  summary: 'ask the supervisor at that control socket (default: $SVC_SUPER_SOCKET, else the only one that answers)',
} as const;
const FOLLOW = { type: 'boolean', short: 'f', summary: 'go on with what comes' } as const;
const LINES = { type: 'string', short: 'n', value: 'N', summary: 'at most the last N of the past' } as const;
const OPERATED = ['stop', 'start', 'restart'] as const;

function operation(name: (typeof OPERATED)[number], summary: string, example: string): Command {
  const usage = `svc-super ${name} NAME... | --group GROUP | --all  [--wait] [--json]`;
  const until = name === 'stop' ? 'until they have stopped' : 'until they are ready; 1 when one fails';
  return {
    summary,
    usage,
    example,
    completes: 'services',
    flags: {
      group: GROUP,
      all: ALL,
      wait: { type: 'boolean', short: 'w', summary: `wait ${until}` },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./operations.ts')).operate(context, name, given, usage),
  };
}

const LOGS = 'svc-super logs [NAME...] [-f] [-n N] [--since D] [--time] [--json]';
const SIGNAL = 'svc-super signal SIG NAME...';
const EXEC = 'svc-super exec NAME -- CMD [ARG...]';
const WAIT = 'svc-super wait [NAME...] [--for ready|stopped] [--timeout D] [--json]';
const EVENTS = 'svc-super events [-f] [-n N] [--json]';

const TABLE = {
  status: {
    summary: 'show how each service stands',
    usage: 'svc-super status [NAME...] [--json] [--watch]',
    example: 'svc-super status vllm',
    completes: 'services',
    flags: { json: JSON_FLAG, watch: { type: 'boolean', summary: 'again every second, until Ctrl-C' } },
    run: async (context, given) => (await import('./status.ts')).showStatus(context, given),
  },
  logs: {
    summary: 'show what services have printed lately, and follow it',
    usage: LOGS,
    example: 'svc-super logs -f -n 20 vllm',
    completes: 'services',
    flags: {
      follow: FOLLOW,
      lines: LINES,
      since: { type: 'string', value: 'D', summary: 'only of the last D: 30s, 5m, 1h30m' },
      time: { type: 'boolean', short: 't', summary: 'the time before each line' },
      json: { type: 'boolean', summary: 'one JSON object a line: time, service, stream, text' },
    },
    run: async (context, given) => (await import('./output.ts')).showLogs(context, given, LOGS),
  },
  start: operation('start', 'start services and what they need', "svc-super start 'worker-*' --wait"),
  stop: operation('stop', 'stop services; the container goes on', 'svc-super stop open-webui'),
  restart: operation('restart', 'stop services and start them again', 'svc-super restart --group application --wait'),
  reload: {
    summary:
      'read the configuration again and apply what has changed; a wrong file changes nothing; log files are opened anew',
    usage: 'svc-super reload [--dry-run] [--json]',
    example: 'svc-super reload --dry-run',
    flags: {
      'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./operations.ts')).reload(context, given),
  },
  signal: {
    summary: 'send a signal to the main process of services',
    usage: SIGNAL,
    example: 'svc-super signal HUP nginx',
    completes: 'services',
    flags: {},
    run: async (context, given) => (await import('./operations.ts')).signal(context, given, SIGNAL),
  },
  exec: {
    summary: 'run a command with environment, user and folder of a service, with standard input or a terminal',
    usage: EXEC,
    example: 'svc-super exec postgres -- psql -c "select 1"',
    completes: 'services',
    flags: {},
    run: async (context, given) => (await import('./output.ts')).exec(context, given, EXEC),
  },
  wait: {
    summary: 'wait until services are ready, or have stopped',
    usage: WAIT,
    example: 'svc-super wait vllm --timeout 30m',
    completes: 'services',
    flags: {
      for: { type: 'string', value: 'STATE', summary: 'ready (default) or stopped' },
      timeout: { type: 'string', short: 't', value: 'D', summary: 'at most so long (10s, 5m), then 124' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./operations.ts')).wait(context, given, WAIT),
  },
  health: {
    summary: 'exit 0 when every essential service is ready, else 1; for HEALTHCHECK and exec probes',
    usage: 'svc-super health [--json]',
    example: 'HEALTHCHECK CMD ["svc-super", "health"]',
    flags: { json: JSON_FLAG },
    run: async (context, given) => (await import('./status.ts')).showHealth(context, given),
  },
  events: {
    summary: 'show what has happened, the latest thousand at most, and follow it',
    usage: EVENTS,
    example: 'svc-super events -f',
    flags: {
      follow: FOLLOW,
      lines: LINES,
      json: { type: 'boolean', summary: 'one JSON object a line: seq, time, level, service, event, text' },
    },
    run: async (context, given) => (await import('./output.ts')).showEvents(context, given, EVENTS),
  },
  timeline: {
    summary: 'show where start-up time went, and the chain that everything waited for',
    usage: 'svc-super timeline [--svg FILE] [--json]',
    example: 'svc-super timeline --svg start.svg',
    flags: {
      svg: { type: 'string', value: 'FILE', summary: 'draw it into that file; - is standard output' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./charts.ts')).showTimeline(context, given),
  },
  graph: {
    summary: 'show who waits for whom, and for what',
    usage: 'svc-super graph [--dot] [--json]',
    example: 'svc-super graph --dot | dot -Tsvg > graph.svg',
    flags: { dot: { type: 'boolean', summary: 'for Graphviz' }, json: JSON_FLAG },
    run: async (context, given) => (await import('./charts.ts')).showGraph(context, given),
  },
} as const satisfies Readonly<Record<string, Command>>;

/** Each has the flag `--socket`. The native program reads it and makes the connection. */
export const CONTROL_COMMANDS = withSocket(TABLE);

function withSocket<K extends string>(commands: Readonly<Record<K, Command>>): Readonly<Record<K, Command>> {
  const all: Partial<Record<K, Command>> = {};
  for (const name in commands) {
    const command: Command = commands[name];
    all[name] = { ...command, flags: { ...command.flags, socket: SOCKET } };
  }
  return all as Record<K, Command>;
}

/** Prints the names of the services, one a line, for completion; nothing where no supervisor answers. */
export async function printNames(context: Parameters<Command['run']>[0]): Promise<number> {
  const { question } = await import('./asking.ts');
  const asked = await question(context, { path: '/v1/status' });
  const body = asked.ok ? (asked.body as { services?: readonly WireService[] }) : {};
  const all = (body.services ?? []).flatMap(({ name, replica }) =>
    replica?.index === 0 ? [replica.of, name] : [name],
  );
  context.out(all.map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}
