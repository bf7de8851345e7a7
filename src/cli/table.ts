// The table of commands that send requests to a supervisor. The implementation of each is loaded when it runs.
import type { WireService } from '../control/wire.ts';
import { type Command, EXIT, JSON_FLAG } from './command.ts';

const GROUP = { type: 'string', short: 'g', value: 'GROUP', summary: 'all members of that group' } as const;
const ALL = { type: 'boolean', short: 'a', summary: 'all services' } as const;
const SOCKET = {
  type: 'string',
  value: 'PATH',
  summary: 'use the supervisor at this control socket (default: $SVC_SUPER_SOCKET, else the only one that responds)',
} as const;
const FOLLOW = { type: 'boolean', short: 'f', summary: 'continue with new output' } as const;
const LINES = { type: 'string', short: 'n', value: 'N', summary: 'only the last N lines' } as const;
const OPERATED = ['stop', 'start', 'restart'] as const;

function operation(name: (typeof OPERATED)[number], summary: string, example: string): Command {
  const usage = `svc-super ${name} NAME... | --group GROUP | --all  [--wait] [--json]`;
  const until = name === 'stop' ? 'until they have stopped' : 'until they are ready; exit code 1 if one fails';
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
    run: async (context, given) => (await import('./operations.ts')).runOperation(context, name, given, usage),
  };
}

const LOGS = 'svc-super logs [NAME...] [-f] [-n N] [--since D] [--time] [--json]';
const SIGNAL = 'svc-super signal SIG NAME...';
const EXEC = 'svc-super exec NAME -- CMD [ARG...]';
const WAIT = 'svc-super wait [NAME...] [--for ready|stopped] [--timeout D] [--json]';
const EVENTS = 'svc-super events [-f] [-n N] [--json]';

const TABLE = {
  status: {
    summary: 'show the state of each service',
    usage: 'svc-super status [NAME...] [--json] [--watch]',
    example: 'svc-super status vllm',
    completes: 'services',
    flags: { json: JSON_FLAG, watch: { type: 'boolean', summary: 'repeat every second, until Ctrl-C' } },
    run: async (context, given) => (await import('./status.ts')).showStatus(context, given),
  },
  logs: {
    summary: 'show the latest output of services, and follow it',
    usage: LOGS,
    example: 'svc-super logs -f -n 20 vllm',
    completes: 'services',
    flags: {
      follow: FOLLOW,
      lines: LINES,
      since: { type: 'string', value: 'D', summary: 'only lines of the last D: 30s, 5m, 1h30m' },
      time: { type: 'boolean', short: 't', summary: 'print the time before each line' },
      json: { type: 'boolean', summary: 'print one JSON object per line: time, service, stream, text' },
    },
    run: async (context, given) => (await import('./output.ts')).showLogs(context, given, LOGS),
  },
  start: operation('start', 'start services and their dependencies', "svc-super start 'worker-*' --wait"),
  stop: operation('stop', 'stop services; the container continues to run', 'svc-super stop open-webui'),
  restart: operation('restart', 'stop services and start them again', 'svc-super restart --group application --wait'),
  reload: {
    summary:
      'read the configuration again and apply what has changed; an invalid file changes nothing; log files are reopened',
    usage: 'svc-super reload [--dry-run] [--json]',
    example: 'svc-super reload --dry-run',
    flags: {
      'dry-run': { type: 'boolean', short: 'n', summary: 'only show the difference' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./operations.ts')).requestReload(context, given),
  },
  signal: {
    summary: 'send a signal to the main process of services',
    usage: SIGNAL,
    example: 'svc-super signal HUP nginx',
    completes: 'services',
    flags: {},
    run: async (context, given) => (await import('./operations.ts')).signalServices(context, given, SIGNAL),
  },
  exec: {
    summary: 'run a command with the environment, user and folder of a service, with standard input or a terminal',
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
      timeout: { type: 'string', short: 't', value: 'D', summary: 'time limit (10s, 5m); after that, exit code 124' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./operations.ts')).wait(context, given, WAIT),
  },
  health: {
    summary: 'exit with 0 if every essential service is ready, else with 1; for HEALTHCHECK and exec probes',
    usage: 'svc-super health [--json]',
    example: 'HEALTHCHECK CMD ["svc-super", "health"]',
    flags: { json: JSON_FLAG },
    run: async (context, given) => (await import('./status.ts')).showHealth(context, given),
  },
  events: {
    summary: 'show the latest events, at most 1,000, and follow them',
    usage: EVENTS,
    example: 'svc-super events -f',
    flags: {
      follow: FOLLOW,
      lines: LINES,
      json: { type: 'boolean', summary: 'print one JSON object per line: seq, time, level, service, event, text' },
    },
    run: async (context, given) => (await import('./output.ts')).showEvents(context, given, EVENTS),
  },
  timeline: {
    summary: 'show the start of each service over time, and the critical path',
    usage: 'svc-super timeline [--svg FILE] [--json]',
    example: 'svc-super timeline --svg start.svg',
    flags: {
      svg: { type: 'string', value: 'FILE', summary: 'write an SVG picture to this file; - is standard output' },
      json: JSON_FLAG,
    },
    run: async (context, given) => (await import('./charts.ts')).showTimeline(context, given),
  },
  graph: {
    summary: 'show the dependencies of each service and their conditions',
    usage: 'svc-super graph [--dot] [--json]',
    example: 'svc-super graph --dot | dot -Tsvg > graph.svg',
    flags: { dot: { type: 'boolean', summary: 'print DOT for Graphviz' }, json: JSON_FLAG },
    run: async (context, given) => (await import('./charts.ts')).showGraph(context, given),
  },
} as const satisfies Readonly<Record<string, Command>>;

/** Each command has the flag `--socket`; the native program reads it and makes the connection. */
export const CONTROL_COMMANDS = withSocket(TABLE);

function withSocket<K extends string>(commands: Readonly<Record<K, Command>>): Readonly<Record<K, Command>> {
  const all: Partial<Record<K, Command>> = {};
  for (const name in commands) {
    const command: Command = commands[name];
    all[name] = { ...command, flags: { ...command.flags, socket: SOCKET } };
  }
  return all as Record<K, Command>;
}

/** Prints the names of the services, one per line, for completion; nothing if no supervisor responds. */
export async function printNames(context: Parameters<Command['run']>[0]): Promise<number> {
  const { callSupervisor } = await import('./request.ts');
  const response = await callSupervisor(context, { path: '/v1/status' });
  const body = response.ok ? (response.body as { services?: readonly WireService[] }) : {};
  const all = (body.services ?? []).flatMap(({ name, replica }) =>
    replica?.index === 0 ? [replica.of, name] : [name],
  );
  context.out(all.map((name) => `${name}\n`).join(''));
  return EXIT.ok;
}
