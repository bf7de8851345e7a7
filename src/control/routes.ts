// The table of all routes of the control API: method, path, summary, parameters, responses. The OpenAPI document and the
// documentation are generated from it.
import { isOff } from '../core/off.ts';
import { compilePattern, whyNotPattern } from '../plan/pattern.ts';
import { allEdges } from '../plan/stages.ts';
import {
  type ApiRequest,
  type ApiResponse,
  type ApiSource,
  type GpusBody,
  type Route,
  refuse,
  type StatusBody,
} from './api.ts';
import { NOSANA_ROUTES } from './compat/nosana.ts';
import { describeService } from './details.ts';
import { LogFeed } from './follow.ts';
import { findService, OPERATIONS, SERVICE_NAME } from './operations.ts';
import { ResourceHistory } from './resource-history.ts';
import { select } from './selection.ts';
import { waitFor } from './waiting.ts';
import type { WireGraphNode, WireSchedule } from './wire.ts';

const STATUS: Route = {
  method: 'GET',
  path: '/v1/status',
  summary:
    'The whole state: each service with its state (`probed: false`: ready without a readiness probe, so it is only known to run), ' +
    '`wanted` (`down`: it is not meant to run, because it is not enabled, is idle or was stopped on request; `again`: it is to stop and start again; else `up`), ' +
    'readiness or the reason for its absence, restarts, processor time and memory; of a replica, ' +
    '`replica` has its service and its number; `scale`: numbers of replicas that differ from the file. `supervisor`: restarts of the supervisor itself, ' +
    'by reason, and the time and reason of the last one',
  responses: { 200: 'the state' },
  respond: (source) => {
    const usage = source.usage();
    const { services, ...rest } = source.snapshot();
    const { last } = source.history;
    const body: StatusBody = {
      ...rest,
      version: source.version,
      pid: source.pid,
      scale: source.plan().scale ?? {},
      supervisor: {
        ...source.history,
        last: last === null ? null : { time: new Date(last.at).toISOString(), reason: last.reason },
      },
      services: services.map((service) => ({ ...service, usage: usage.get(service.name) ?? null })),
    };
    return { status: 200, body };
  },
};

/** Whether a scheduled task is healthy while it runs again, as for `healthy` (core/snapshot.ts). */
function isSound(schedule: WireSchedule | null): boolean {
  return schedule !== null && schedule.last_run?.success !== false;
}

const HEALTH: Route = {
  method: 'GET',
  path: '/v1/health',
  summary: 'Whether every essential service is ready and every essential task has completed',
  responses: {
    200: 'healthy',
    503: 'not healthy: `waiting` lists the services and the reasons; it may be empty while everything is being stopped',
  },
  respond: (source) => {
    const { healthy, services } = source.snapshot();
    const waiting = services
      .filter(({ essential, ready, state, schedule }) => essential && !ready && !isOff(state) && !isSound(schedule))
      .map(({ name, state, reason }) => ({ name, state, reason }));
    return { status: healthy ? 200 : 503, body: { healthy, waiting } };
  },
};

const ONE: Route = {
  method: 'GET',
  path: '/v1/services/{name}',
  summary: 'One service, as in the whole state',
  params: { name: SERVICE_NAME },
  responses: { 200: 'the service', 404: 'there is no such service' },
  respond: (source, { params }) => {
    const service = findService(source, params);
    if (!('name' in service)) return service;
    return { status: 200, body: { ...service, usage: source.usage().get(service.name) ?? null } };
  },
};

const DETAILS: Route = {
  method: 'GET',
  path: '/v1/services/{name}/details',
  summary:
    'The configuration and the past of one service: command, environment, ports, dependencies, probes with their last results, ' +
    'the latest 20 runs with exit codes and durations. The values of secrets are null; over TCP without `control.http.token`, those of all variables are null too',
  params: { name: SERVICE_NAME },
  responses: { 200: 'the details', 404: 'there is no such service' },
  respond: (source, { params, isLocal }) => {
    const service = findService(source, params);
    if (!('name' in service)) return service;
    const plan = source.plan();
    const body = describeService({
      ...{ service, plan, now: source.wall() },
      ...{ attempts: source.attempts(service.name), runs: source.runs(service.name) },
      environment: source.environmentOf(service.name),
      // Another user's process may not read /proc/PID/environ, and may connect to a listener without a token.
      showsValues: isLocal || (plan.control !== null && plan.control.token !== null),
    });
    return body === null ? refuse(404, `there is no service ${service.name}`) : { status: 200, body };
  },
};

const histories = new WeakMap<ApiSource, ResourceHistory>();

/** The history of a supervisor's services; it begins to sample when it is asked for. */
export function historyOf(source: ApiSource): ResourceHistory {
  const found = histories.get(source) ?? new ResourceHistory(source);
  histories.set(source, found);
  return found;
}

const HISTORY: Route = {
  method: 'GET',
  path: '/v1/history',
  summary:
    'Processor time, memory and restarts of each service and use of each GPU, a sample every 15 s for the last hour. It is sampled ' +
    'while `control.http` is configured, and else for 10 minutes after a request; GPUs for 2 minutes after a request. It begins ' +
    'again when the supervisor is restarted',
  params: {
    service: { in: 'query', type: 'strings', summary: 'names or globs; default: all' },
    since: { in: 'query', type: 'integer', summary: 'only samples after this time, milliseconds since 1970' },
  },
  responses: { 200: 'the samples', 400: 'a parameter is wrong', 404: 'there is no such service' },
  respond: (source, { query }) => {
    const names = namesOf(source, query);
    if (!Array.isArray(names)) return names as ApiResponse;
    const since = wholeNumber(query, 'since', 0);
    if (since === null) return refuse(400, '`since` must be a whole number');
    const history = historyOf(source);
    history.ask();
    return { status: 200, body: history.read(names, since) };
  },
};

const GPUS: Route = {
  method: 'GET',
  path: '/v1/gpus',
  summary: 'The GPUs of the container: use, memory, and the services that have them. Read at most every 2 s',
  responses: { 200: 'a list, and `why` if the driver does not report them' },
  respond: async (source) => {
    const { devices, why } = await source.gpus();
    const gpus = devices.map((device) => {
      const services = source
        .plan()
        .services.filter((service) =>
          service.gpus?.devices.some(({ id, index }) => id === device.id || (index !== null && index === device.index)),
        )
        .map(({ name }) => name);
      return { ...device, services };
    });
    const body: GpusBody = { gpus, why };
    return { status: 200, body };
  },
};

const GROUPS: Route = {
  method: 'GET',
  path: '/v1/groups',
  summary: 'The stages in their order, with their members',
  responses: { 200: 'a list' },
  respond: (source) => {
    const { groups, services } = source.snapshot();
    const body = groups.map((group) => {
      const members = services.filter((service) => service.group === group);
      return {
        name: group,
        ready: members.every(({ ready, state }) => ready || isOff(state)),
        services: members.map(({ name }) => name),
      };
    });
    return { status: 200, body: { groups: body } };
  },
};

function describePatternProblem({ why, suggestion }: { readonly why: string; readonly suggestion?: string }): string {
  return `\`grep\` is not a pattern: ${why}${suggestion === undefined ? '' : `; ${suggestion}`}`;
}

/** No limit: all stored lines. */
const ALL_LINES = 1_000_000;

const feeds = new WeakMap<ApiSource, LogFeed>();

function feedOf(source: ApiSource): LogFeed {
  const found = feeds.get(source) ?? new LogFeed(source);
  feeds.set(source, found);
  return found;
}

const LOGS: Route = {
  method: 'GET',
  path: '/v1/logs',
  summary:
    'Stored output (64 KiB of each service) and, with `follow`, new output: lines with `time`, `service`, `stream` ' +
    'and `text`, of all services in the order of `time`, which is when a line was read from the service. A stored line that no newline has ended so far has `unfinished`: true. A follower that does not keep up receives a line with `skipped` in place of the lines that it missed',
  params: {
    service: { in: 'query', type: 'strings', summary: 'names or globs; default: all' },
    lines: { in: 'query', type: 'integer', summary: 'limit of stored lines, in all' },
    since: { in: 'query', type: 'integer', summary: 'only lines since this time, milliseconds since 1970' },
    until: { in: 'query', type: 'integer', summary: 'only lines until this time; not with `follow`' },
    grep: { in: 'query', type: 'string', summary: 'only lines that this pattern (RE2) matches; `lines` counts these' },
    follow: { in: 'query', type: 'boolean', summary: 'continue with new lines' },
  },
  responses: { 200: 'the lines', 400: 'a parameter is wrong', 404: 'there is no such service' },
  streams: true,
  respond: (source, { query }) => {
    const names = namesOf(source, query);
    if (!Array.isArray(names)) return names as ApiResponse;
    const lines = wholeNumber(query, 'lines', ALL_LINES);
    const from = wholeNumber(query, 'since', 0);
    const until = wholeNumber(query, 'until', Infinity);
    if (lines === null || from === null || until === null)
      return refuse(400, '`lines`, `since` and `until` must be whole numbers');
    const follow = isTrue(query.get('follow'));
    if (follow && until < Infinity) return refuse(400, '`until` and `follow` exclude each other');
    const grep = query.get('grep');
    const problem = grep === null ? null : whyNotPattern(grep);
    if (problem !== null) return refuse(400, describePatternProblem(problem));
    const pattern = grep === null ? null : compilePattern(grep);
    return { status: 200, lines: feedOf(source).open({ services: names, count: lines, from, until, pattern }, follow) };
  },
};

const EVENTS: Route = {
  method: 'GET',
  path: '/v1/events',
  summary: 'The latest events, at most 1,000, and with `follow` new ones',
  params: {
    lines: { in: 'query', type: 'integer', summary: 'limit of stored events' },
    after: { in: 'query', type: 'integer', summary: 'only stored events with a larger `seq`' },
    follow: { in: 'query', type: 'boolean', summary: 'continue with new events' },
  },
  responses: {
    200: 'one line per event: `seq`, `time`, `level`, `service`, `event`, `text`',
    400: 'a parameter is wrong',
  },
  streams: true,
  respond: (source, { query }) => {
    const count = wholeNumber(query, 'lines', 1_000);
    const after = wholeNumber(query, 'after', 0);
    if (count === null || after === null) return refuse(400, '`lines` and `after` must be whole numbers');
    const follow = isTrue(query.get('follow'));
    return {
      status: 200,
      lines: (outlet) => {
        const past = source.events.latest(count).filter(({ seq }) => seq > after);
        outlet.write(past.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
        if (!follow) outlet.end();
        // Consecutive numbers show a slow reader which events it missed.
        const take = (entry: object) => {
          if (outlet.queued < EVENTS_WAITING) outlet.write(`${JSON.stringify(entry)}\n`);
        };
        return follow ? source.events.follow(take) : () => undefined;
      },
    };
  },
};

/** Limit of bytes that wait for a reader of events; later events are dropped, which leaves a gap in the numbers. */
const EVENTS_WAITING = 256 * 1024;

const WAIT: Route = {
  method: 'GET',
  path: '/v1/wait',
  summary:
    'Waits for services: a line with `waiting` twice a second, the last one has the `result`: reached, failed (the condition cannot be met) or timeout; `failed_starts` has the latest failure of each service that starts again',
  params: {
    service: { in: 'query', type: 'strings', summary: 'names or globs; default: all' },
    for: { in: 'query', type: 'string', summary: '`ready` (default) or `stopped`' },
    timeout: { in: 'query', type: 'integer', summary: 'milliseconds; default: no limit' },
  },
  responses: { 200: 'the lines', 400: 'a parameter is wrong', 404: 'there is no such service' },
  streams: true,
  respond: (source, { query }) => {
    const names = namesOf(source, query);
    if (!Array.isArray(names)) return names as ApiResponse;
    const goal = query.get('for') ?? 'ready';
    const timeout = query.has('timeout') ? wholeNumber(query, 'timeout', 0) : undefined;
    if ((goal !== 'ready' && goal !== 'stopped') || timeout === null) {
      return refuse(400, '`for` must be ready or stopped, `timeout` a whole number');
    }
    const scope = query.has('service') ? 'named' : 'all';
    return { status: 200, lines: waitFor(source, { names, goal, scope }, timeout ?? null) };
  },
};

const TIMELINE: Route = {
  method: 'GET',
  path: '/v1/timeline',
  summary: 'The start of each service over time, and the critical path',
  responses: { 200: 'milliseconds since the start of the supervisor' },
  respond: (source) => ({ status: 200, body: source.timeline() }),
};

const GRAPH: Route = {
  method: 'GET',
  path: '/v1/graph',
  summary:
    'The dependencies of each service and their conditions; `any`: how many replicas of the target must satisfy the condition',
  responses: { 200: 'services in the order of the file, each with its edges' },
  respond: (source) => {
    const { services } = source.snapshot();
    const states = new Map(services.map(({ name, state }) => [name, state]));
    const body = source.plan().services.map(
      ({ name, type, group, edges, stageEdges }): WireGraphNode => ({
        name,
        type,
        group,
        state: states.get(name) ?? null,
        needs: allEdges({ edges, stageEdges }).map(({ on, condition, origin, restarts, choice }) => ({
          on,
          condition,
          origin,
          ...(restarts === true && { restarts }),
          ...(choice !== undefined && { any: choice }),
        })),
      }),
    );
    return { status: 200, body: { services: body } };
  },
};

function namesOf(source: ApiSource, query: ApiRequest['query']): readonly string[] | ApiResponse {
  const selected = select({ names: query.getAll('service') }, source.snapshot().services, 'all');
  return selected.ok ? selected.names : refuse(404, selected.error);
}

/** Null if the value is not a whole number; `otherwise` if it is absent. */
function wholeNumber(query: ApiRequest['query'], name: string, otherwise: number): number | null {
  const text = query.get(name);
  if (text === null) return otherwise;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function isTrue(text: string | null): boolean {
  return text !== null && !['', '0', 'false', 'no'].includes(text);
}

export const ROUTES: readonly Route[] = [
  STATUS,
  HEALTH,
  ONE,
  DETAILS,
  HISTORY,
  GPUS,
  GROUPS,
  LOGS,
  EVENTS,
  WAIT,
  TIMELINE,
  GRAPH,
  ...OPERATIONS,
  ...NOSANA_ROUTES,
];
