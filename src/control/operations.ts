// The routes that change something: start, stop, restart, signal, scale, reload, exec; of services and of groups. Each validates
// its request before it calls the supervisor.
import type { Operation } from '../core/event.ts';
import type { Input } from '../pid1/streams.ts';
import { renderCount } from '../text.ts';
import { type ApiRequest, type ApiResponse, type ApiSource, type Parameter, type Route, refuse } from './api.ts';
import { type Selector, select } from './selection.ts';
import type { ExecRequest } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireService } from './wire.ts';

export const SERVICE_NAME: Parameter = { in: 'path', type: 'string', summary: 'the name of a service', required: true };
/**
 * The header of requests that can be repeated by accident: start, stop, restart, signal. A second `reload` or `scale` changes
 * nothing, and `exec` ends with its connection.
 */
export const KEYED: Readonly<Record<string, Parameter>> = {
  'Idempotency-Key': {
    in: 'header',
    type: 'string',
    summary:
      'a key that the client chooses for this request: a repetition with the same key has no second effect, even if the supervisor was restarted meanwhile. The latest 64 keys are stored',
  },
};
const STOPPING = 'all services are being stopped';

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string');
}

/** Requests an operation on existing services. The response does not wait for its effect; `wait` does. */
export function operate(source: ApiSource, operation: Operation, selector: Selector, key: string | null): ApiResponse {
  const { services, phase } = source.snapshot();
  const selected = select(selector, services, 'error');
  if (!selected.ok) return refuse(isEmptySelector(selector) ? 400 : 404, selected.error);
  const off = services.filter(({ name, state }) => state === 'skipped' && selected.names.includes(name));
  const left = idleBeside(operation, selector, services);
  const names = selected.names.filter((name) => !off.some((service) => service.name === name) && !left.has(name));
  const accepted = { status: 202, body: { operation, services: names } };
  // A repeated request: the client did not receive the first response.
  if (key !== null && source.isDone(key)) return accepted;
  if (phase !== 'running') return refuse(409, STOPPING);
  const named = off.find(
    ({ name, replica }) => selector.names.includes(name) || selector.names.includes(replica?.of ?? name),
  );
  if (named !== undefined && operation !== 'stop')
    return refuse(409, `${named.replica?.of ?? named.name} is not enabled`);
  source.operate(operation, names, key);
  return accepted;
}

/**
 * Idle services that an operation on many leaves alone: one on all of them, and a restart of a group or a glob. To start, such a
 * service has to be meant.
 */
function idleBeside(
  operation: Operation,
  { names, all }: Selector,
  services: readonly WireService[],
): ReadonlySet<string> {
  if (operation === 'stop' || (operation === 'start' && all !== true)) return new Set();
  const isNamed = ({ name, replica }: WireService) => names.includes(name) || names.includes(replica?.of ?? name);
  const idle = services.filter((service) => service.state === 'idle' && !isNamed(service));
  return new Set(idle.map(({ name }) => name));
}

function isEmptySelector({ names, group, all }: Selector): boolean {
  return names.length === 0 && group === undefined && all !== true;
}

/** Responses to a request for an operation. */
export const ACCEPTED = {
  202: 'accepted: `services` are the services meant',
  404: 'there is no such service',
  409: 'not possible in the current state',
};
const SUMMARY = {
  start: 'its dependencies start too',
  stop: 'only this service; a stop by the operator does not end the container',
  restart:
    'it starts again when all its processes have ended; dependents with `restart: true` restart too, and the others continue to run',
} as const satisfies Readonly<Record<Operation, string>>;

function oneRoute(operation: Operation): Route {
  return {
    method: 'POST',
    path: `/v1/services/{name}/${operation}`,
    summary: `Requests the ${operation} of a service: ${SUMMARY[operation]}`,
    params: { name: SERVICE_NAME, ...KEYED },
    responses: ACCEPTED,
    respond: (source, { params, key }) => operate(source, operation, { names: [params.name ?? ''] }, key),
  };
}

function manyRoute(operation: Operation): Route {
  return {
    method: 'POST',
    path: `/v1/${operation}`,
    summary: `Requests the ${operation} of several services, in the order of their dependencies`,
    params: {
      services: { in: 'body', type: 'strings', summary: 'names or globs' },
      group: { in: 'body', type: 'string', summary: 'all members of that group' },
      all: { in: 'body', type: 'boolean', summary: 'all services' },
      ...KEYED,
    },
    responses: { ...ACCEPTED, 400: 'no services were selected' },
    respond: (source, { body, key }) => {
      const { services = [], group, all } = body;
      if (!isStrings(services)) return refuse(400, '`services` must be a list of names');
      if (group !== undefined && typeof group !== 'string') return refuse(400, '`group` must be the name of a group');
      if (all !== undefined && typeof all !== 'boolean') return refuse(400, '`all` must be true or false');
      return operate(source, operation, { names: services, group, all }, key);
    },
  };
}

const SIGNAL: Route = {
  method: 'POST',
  path: '/v1/services/{name}/signal',
  summary: 'Sends a signal to the main process of a service',
  params: {
    name: SERVICE_NAME,
    signal: { in: 'body', type: 'string', summary: '`SIGUSR1`, `USR1` or `10`', required: true },
    ...KEYED,
  },
  responses: { 202: 'sent', 400: 'no such signal', 404: 'there is no such service', 409: 'it has no process' },
  respond: (source, { params, body, key }) => {
    const service = findService(source, params);
    if ('status' in service) return service;
    if (typeof body.signal !== 'string') return refuse(400, '`signal` must be the name of a signal');
    const signal = source.parseSignal(body.signal);
    if (!signal.ok)
      return refuse(400, signal.suggestion === undefined ? signal.why : `${signal.why}; ${signal.suggestion}`);
    const accepted = { status: 202, body: { signal: signal.name, services: [service.name] } };
    if (key !== null && source.isDone(key)) return accepted;
    if (service.pid === null) return refuse(409, `${service.name} is ${service.state}: it has no process`);
    source.signal(signal.name, [service.name], key);
    return accepted;
  },
};

export function findService(source: ApiSource, params: ApiRequest['params']): WireService | ApiResponse {
  const { services } = source.snapshot();
  const found = services.find(({ name }) => name === params.name);
  if (found !== undefined) return found;
  const selected = select({ names: [params.name ?? ''] }, services, 'error');
  if (!selected.ok) return refuse(404, selected.error);
  const [first] = services.filter(({ replica }) => replica !== null && replica.of === params.name);
  return refuse(
    404,
    first === undefined
      ? 'a glob is not a name'
      : `${params.name} has replicas: use the name of one, such as ${first.name}`,
  );
}

const RELOAD: Route = {
  method: 'POST',
  path: '/v1/reload',
  summary:
    'Reads the configuration again and applies the difference; an invalid file changes nothing. Reopens the log files in both cases, unless it is a dry run',
  params: { dry_run: { in: 'body', type: 'boolean', summary: 'return the difference without applying it' } },
  responses: {
    200:
      'the difference, which is being applied unless it was a dry run: of each service in `changed` the `fields`, the old and new ' +
      'values (`changes`), and the `action` (starts, restarts, stops, in-place, next-start); `idle` are the `added` ones that do not start by themselves',
    409: 'not possible in the current state',
    422: 'the file is invalid, or a port is taken: see `diagnostics` and `text`',
  },
  respond: async (source, { body }) => {
    if (source.snapshot().phase !== 'running') return refuse(409, STOPPING);
    if (body.dry_run !== undefined && typeof body.dry_run !== 'boolean') {
      return refuse(400, '`dry_run` must be true or false');
    }
    const result = await source.reload(body.dry_run === true ? 'dry-run' : 'apply');
    if (result.ok) return { status: 200, body: { applied: body.dry_run !== true, ...result } };
    const { diagnostics, text } = result;
    // Without diagnostics the file is valid, and a port is taken.
    const what = diagnostics.length > 0 ? 'is invalid' : 'cannot be applied';
    return { status: 422, body: { error: `the configuration ${what}: nothing was changed`, diagnostics, text } };
  },
};

/** Returns `name` if it is a key in the file: the name of a service, or the name that its replicas share. Otherwise a refusal. */
function findKey(source: ApiSource, name: string): string | ApiResponse {
  const { services } = source.snapshot();
  if (services.some((service) => (service.replica?.of ?? service.name) === name)) return name;
  const one = services.find((service) => service.name === name);
  if (one?.replica) return refuse(404, `${name} is one replica of ${one.replica.of}: scale ${one.replica.of}`);
  const selected = select({ names: [name] }, services, 'error');
  return refuse(404, selected.ok ? 'a glob is not a name' : selected.error);
}

const SCALE: Route = {
  method: 'POST',
  path: '/v1/services/{name}/scale',
  summary:
    'Sets the number of replicas of a service until its number in the file changes. Reads the configuration again, by the rules of a ' +
    'reload, and refuses if it has other changes',
  params: {
    name: { ...SERVICE_NAME, summary: 'the name of a service, without the number of a replica' },
    replicas: { in: 'body', type: 'integer', summary: 'the number, from 1', required: true },
    dry_run: { in: 'body', type: 'boolean', summary: 'return the difference without applying it' },
  },
  responses: {
    200: 'the difference, which is being applied unless it was a dry run',
    400: 'not a number of replicas',
    404: 'there is no such service',
    409: 'not possible in the current state, or the configuration has other changes',
    422: 'not possible with this number: see `diagnostics` and `text`',
  },
  respond: async (source, { params, body: { replicas, dry_run } }) => {
    const key = findKey(source, params.name ?? '');
    if (typeof key !== 'string') return key;
    if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 1)
      return refuse(400, `\`replicas\` must be a whole number from 1; to run none: \`svc-super stop ${key}\``);
    if (dry_run !== undefined && typeof dry_run !== 'boolean') return refuse(400, '`dry_run` must be true or false');
    if (source.snapshot().phase !== 'running') return refuse(409, STOPPING);
    const result = await source.scale(key, replicas, dry_run === true ? 'dry-run' : 'apply');
    if (result.ok) return { status: 200, body: { applied: dry_run !== true, ...result } };
    const { diagnostics, text, isOther } = result;
    if (isOther) return refuse(409, text);
    return {
      status: 422,
      body: { error: `${key} cannot have ${renderCount(replicas, 'replica')}: nothing was changed`, diagnostics, text },
    };
  },
};

/** The only paths that are opened for a client: a terminal, or the standard input of a process. */
const INPUTS = { terminal: /^\/dev\/pts\/\d+$/, file: /^\/proc\/\d+\/fd\/0$/ } as const;

/** The input of the command, or why it cannot be passed on. */
function inputOf(source: ApiSource, { isLocal, body }: ApiRequest): Input | null | string {
  const { stdin, terminal, namespace } = body;
  const kind = terminal === undefined ? 'file' : 'terminal';
  const path = terminal ?? stdin;
  if (path === undefined) return null;
  if (!isLocal || typeof path !== 'string' || !INPUTS[kind].test(path))
    return '`stdin` and `terminal` are for clients of the unix socket: /proc/PID/fd/0, /dev/pts/N';
  if (namespace === source.pidNamespace) return { kind, path };
  return 'standard input cannot be passed on from another PID namespace: run this in the container, or with < /dev/null';
}

const EXEC: Route = {
  method: 'POST',
  path: '/v1/services/{name}/exec',
  summary:
    'Runs a command with a service’s environment, user and folder. Lines of output with `stream` and `data` (base64), then one ' +
    'with `exit`. When the client disconnects, the command is killed',
  params: {
    name: SERVICE_NAME,
    argv: { in: 'body', type: 'strings', summary: 'the command', required: true },
    stdin: { in: 'body', type: 'string', summary: '/proc/PID/fd/0 of the client; through the unix socket only' },
    terminal: {
      in: 'body',
      type: 'string',
      summary: '/dev/pts/N, for all three streams; through the unix socket only',
    },
    namespace: {
      in: 'body',
      type: 'string',
      summary: 'the PID namespace of the client: the target of its link /proc/self/ns/pid',
    },
    term: { in: 'body', type: 'string', summary: 'the value of TERM on that terminal' },
  },
  responses: { 200: 'its output', 400: 'no command', 404: 'there is no such service' },
  streams: true,
  respond: (source, request) => {
    const service = findService(source, request.params);
    if ('status' in service) return service;
    const { argv, term } = request.body;
    if (!isStrings(argv) || argv.length === 0 || argv[0] === '' || argv.some((part) => part.includes('\0'))) {
      return refuse(400, '`argv` must be a list of texts, the program first');
    }
    const input = inputOf(source, request);
    if (typeof input === 'string') return refuse(400, input);
    const env: Record<string, string> = input?.kind === 'terminal' && typeof term === 'string' ? { TERM: term } : {};
    return { status: 200, lines: runCommand(source, service.name, { argv, input, env }) };
  },
};

function runCommand(source: ApiSource, service: string, command: Pick<ExecRequest, 'argv' | 'input' | 'env'>): Lines {
  return (outlet) => {
    const controller = new AbortController();
    const take = async (stream: 'stdout' | 'stderr', bytes: Uint8Array) => {
      outlet.write(`${JSON.stringify({ stream, data: Buffer.from(bytes).toString('base64') })}\n`);
      await outlet.room();
    };
    const end = ({ code, failure }: { readonly code: number; readonly failure: string | null }) => {
      outlet.write(`${JSON.stringify({ exit: code, ...(failure !== null && { error: failure }) })}\n`);
      outlet.end();
    };
    source
      .exec(service, { ...command, take, abort: controller.signal })
      .then(end, (error) =>
        end({ code: 1, failure: `the command was not run: ${error instanceof Error ? error.message : String(error)}` }),
      );
    return () => controller.abort();
  };
}

export const OPERATIONS: readonly Route[] = [
  oneRoute('start'),
  oneRoute('stop'),
  oneRoute('restart'),
  SIGNAL,
  SCALE,
  EXEC,
  manyRoute('start'),
  manyRoute('stop'),
  manyRoute('restart'),
  RELOAD,
];
