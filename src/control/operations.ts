// The routes that change something: start, stop, restart, signal, reload, exec, by service, by group, and as Nosana's node
// shapes them. Each checks what it was asked before it asks the supervisor.
import type { Operation } from '../core/event.ts';
import { isGlob, meantBy } from '../plan/names.ts';
import { type Answer, type ApiRequest, type ApiSource, type Parameter, type Route, refuse } from './api.ts';
import { select, type Wish } from './selection.ts';
import type { ExecInput, ExecRequest } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireService } from './wire.ts';

export const NAME: Parameter = { in: 'path', type: 'string', summary: 'the name of a service', required: true };
const KEYED: Readonly<Record<string, Parameter>> = {
  'Idempotency-Key': {
    in: 'header',
    type: 'string',
    summary:
      'a name that the client makes up for this request: a repetition with the same name has no second effect, even if the supervisor was restarted meanwhile. The latest 64 are remembered',
  },
};
const STOPPING = 'everything is being stopped';

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string');
}

/** Asks for an operation on services that are there; the answer is at once, what follows is seen by `wait`. */
function operate(source: ApiSource, operation: Operation, wish: Wish, key: string | null): Answer {
  const { services, phase } = source.snapshot();
  const selected = select(wish, services, 'error');
  if (!selected.ok) return refuse(isEmpty(wish) ? 400 : 404, selected.error);
  const off = services.filter(({ name, state }) => state === 'skipped' && selected.names.includes(name));
  const names = selected.names.filter((name) => !off.some((service) => service.name === name));
  const accepted = { status: 202, body: { operation, services: names } };
  // The client did not get the first answer.
  if (key !== null && source.isDone(key)) return accepted;
  if (phase !== 'running') return refuse(409, STOPPING);
  const named = off.find(({ name, replica }) => wish.names.includes(name) || wish.names.includes(replica?.of ?? name));
  if (named !== undefined && operation !== 'stop')
    return refuse(409, `${named.replica?.of ?? named.name} is not enabled`);
  source.operate(operation, names, key);
  return accepted;
}

function isEmpty({ names, group, all }: Wish): boolean {
  return names.length === 0 && group === undefined && all !== true;
}

const ACCEPTED = { 202: 'asked for: `services` are those meant', 404: 'there is no such service', 409: 'not now' };
const SUMMARY = {
  start: 'what it needs starts too',
  stop: 'it alone; a stop by the operator does not end the container',
  restart: 'it stops, and starts again when nothing of it is left; what depends on it goes on',
} as const satisfies Readonly<Record<Operation, string>>;

function oneRoute(operation: Operation): Route {
  return {
    method: 'POST',
    path: `/v1/services/{name}/${operation}`,
    summary: `Asks to ${operation} a service: ${SUMMARY[operation]}`,
    params: { name: NAME, ...KEYED },
    answers: ACCEPTED,
    answer: (source, { params, key }) => operate(source, operation, { names: [params.name ?? ''] }, key),
  };
}

function manyRoute(operation: Operation): Route {
  return {
    method: 'POST',
    path: `/v1/${operation}`,
    summary: `Asks to ${operation} several services, in the order of their dependencies`,
    params: {
      services: { in: 'body', type: 'strings', summary: 'names or globs' },
      group: { in: 'body', type: 'string', summary: 'all members of that group' },
      all: { in: 'body', type: 'boolean', summary: 'all services' },
      ...KEYED,
    },
    answers: { ...ACCEPTED, 400: 'it does not say which' },
    answer: (source, { body, key }) => {
      const { services = [], group, all } = body;
      if (!isStrings(services)) return refuse(400, '`services` must be a list of names');
      if (group !== undefined && typeof group !== 'string') return refuse(400, '`group` must be a name');
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
    name: NAME,
    signal: { in: 'body', type: 'string', summary: '`SIGUSR1`, `USR1` or `10`', required: true },
    ...KEYED,
  },
  answers: { 202: 'sent', 400: 'no such signal', 404: 'there is no such service', 409: 'it has no process' },
  answer: (source, { params, body, key }) => {
    const service = findService(source, params);
    if ('status' in service) return service;
    if (typeof body.signal !== 'string') return refuse(400, '`signal` must be a name');
    const signal = source.parseSignal(body.signal);
    if (!signal.ok) return refuse(400, signal.why);
    const accepted = { status: 202, body: { signal: signal.name, services: [service.name] } };
    if (key !== null && source.isDone(key)) return accepted;
    if (service.pid === null) return refuse(409, `${service.name} is ${service.state}: it has no process`);
    source.signal(signal.name, [service.name], key);
    return accepted;
  },
};

export function findService(source: ApiSource, params: ApiRequest['params']): WireService | Answer {
  const { services } = source.snapshot();
  const found = services.find(({ name }) => name === params.name);
  if (found !== undefined) return found;
  const selected = select({ names: [params.name ?? ''] }, services, 'error');
  if (!selected.ok) return refuse(404, selected.error);
  const [first] = services.filter(({ replica }) => replica !== null && replica.of === params.name);
  return refuse(
    404,
    first === undefined ? 'a glob is no name' : `${params.name} has copies: name one, such as ${first.name}`,
  );
}

const RELOAD: Route = {
  method: 'POST',
  path: '/v1/reload',
  summary:
    'Reads the configuration again and applies the difference; a wrong file changes nothing. Opens the log files anew either way',
  params: { dry_run: { in: 'body', type: 'boolean', summary: 'only tell the difference' } },
  answers: {
    200: 'the difference, which is being applied unless it was a dry run',
    409: 'not now',
    422: 'the file is wrong: `diagnostics` and `text` say where',
  },
  answer: async (source, { body }) => {
    if (source.snapshot().phase !== 'running') return refuse(409, STOPPING);
    if (body.dry_run !== undefined && typeof body.dry_run !== 'boolean') {
      return refuse(400, '`dry_run` must be true or false');
    }
    const result = await source.reload(body.dry_run === true ? 'dry-run' : 'apply');
    if (result.ok) return { status: 200, body: { applied: body.dry_run !== true, ...result } };
    const { diagnostics, text } = result;
    return { status: 422, body: { error: 'the configuration is wrong: nothing was changed', diagnostics, text } };
  },
};

/** The only paths that are opened for a client: a terminal, or the standard input of a process. */
const INPUTS = { terminal: /^\/dev\/pts\/\d+$/, file: /^\/proc\/\d+\/fd\/0$/ } as const;

/** The input of the command, or why it cannot be passed on. */
function inputOf(source: ApiSource, { isLocal, body }: ApiRequest): ExecInput | null | string {
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
    'Runs a command with a service’s environment, user and folder. Lines of output with `stream` and `data` (base64), at the ' +
    'end one with `exit`. When the client goes, the command is killed',
  params: {
    name: NAME,
    argv: { in: 'body', type: 'strings', summary: 'the command', required: true },
    stdin: { in: 'body', type: 'string', summary: '/proc/PID/fd/0 of the client; through the unix socket only' },
    terminal: {
      in: 'body',
      type: 'string',
      summary: '/dev/pts/N, for all three streams; through the unix socket only',
    },
    namespace: { in: 'body', type: 'string', summary: 'of the client: what /proc/self/ns/pid leads to' },
    term: { in: 'body', type: 'string', summary: 'the value of TERM on that terminal' },
  },
  answers: { 200: 'its output', 400: 'no command', 404: 'there is no such service' },
  streams: true,
  answer: (source, request) => {
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
    void source.exec(service, { ...command, take, abort: controller.signal }).then(({ code, failure }) => {
      outlet.write(`${JSON.stringify({ exit: code, ...(failure !== null && { error: failure }) })}\n`);
      outlet.end();
    });
    return () => controller.abort();
  };
}

const FOUR_STATES: Readonly<Record<string, string>> = {
  pending: 'pending',
  starting: 'pending',
  backoff: 'pending',
  ready: 'running',
  unready: 'running',
  stopping: 'running',
  failed: 'failed',
};

/** Nosana's four: pending, running, completed, failed. A stop by the operator is no failure. */
export function nosanaState(state: WireService['state']): string {
  return FOUR_STATES[state] ?? 'completed';
}

const OPS: Route = {
  method: 'GET',
  path: '/ops',
  summary: 'Every service and one of four states: pending, running, completed, failed',
  answers: { 200: 'an object of names' },
  answer: (source) => ({
    status: 200,
    body: Object.fromEntries(source.snapshot().services.map(({ name, state }) => [name, nosanaState(state)])),
  }),
};

const GROUP: Parameter = { in: 'path', type: 'string', summary: 'the name of a group', required: true };
const OP: Parameter = { in: 'path', type: 'string', summary: 'the name of a service', required: true };

function groupRoute(operation: 'stop' | 'restart'): Route {
  return {
    method: 'POST',
    path: `/group/{group}/${operation}`,
    summary: `Asks to ${operation} all members of a group`,
    params: { group: GROUP, ...KEYED },
    answers: { ...ACCEPTED, 404: 'there is no such group' },
    answer: (source, { params, key }) => operate(source, operation, { names: [], group: params.group ?? '' }, key),
  };
}

function groupMemberRoute(operation: 'stop' | 'restart'): Route {
  return {
    method: 'POST',
    path: `/group/{group}/operation/{op}/${operation}`,
    summary: `Asks to ${operation} one member of a group`,
    params: { group: GROUP, op: OP, ...KEYED },
    answers: { ...ACCEPTED, 404: 'there is no such service in that group' },
    answer: (source, { params, key }) => {
      const { group = '', op = '' } = params;
      const found = meantBy(op, source.snapshot().services).some((service) => !isGlob(op) && service.group === group);
      if (!found) return refuse(404, `there is no ${op} in group ${group}`);
      return operate(source, operation, { names: [op] }, key);
    },
  };
}

export const OPERATIONS: readonly Route[] = [
  oneRoute('start'),
  oneRoute('stop'),
  oneRoute('restart'),
  SIGNAL,
  EXEC,
  manyRoute('start'),
  manyRoute('stop'),
  manyRoute('restart'),
  RELOAD,
  OPS,
  groupRoute('stop'),
  groupRoute('restart'),
  groupMemberRoute('stop'),
  groupMemberRoute('restart'),
];
