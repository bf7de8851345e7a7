// The routes by which a node of Nosana reads the states of its job's operations, and stops or restarts them. An operation of Nosana
// is a service here, and always one: Nosana has no patterns. operations.ts accepts or refuses the rest of a request.
import { isGlob, matchServices } from '../../plan/names.ts';
import { type Parameter, type Route, refuse } from '../api.ts';
import { ACCEPTED, KEYED, operate } from '../operations.ts';
import type { WireService } from '../wire.ts';

/** The state of Nosana for each state of a service. Every state that is not listed is `completed`. */
const NOSANA_STATES: Readonly<Record<string, string>> = {
  idle: 'pending',
  pending: 'pending',
  starting: 'pending',
  backoff: 'pending',
  running: 'running',
  ready: 'running',
  unready: 'running',
  stopping: 'running',
  failed: 'failed',
};

/** `pending`, `running`, `completed` or `failed`. A service that the operator has stopped is `completed`. */
function nosanaState(state: WireService['state']): string {
  return NOSANA_STATES[state] ?? 'completed';
}

const OPS: Route = {
  method: 'GET',
  path: '/ops',
  summary: 'Every service and one of four states: pending, running, completed, failed',
  responses: { 200: 'an object from the name of each service to its state' },
  respond: (source) => ({
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
    summary: `Requests the ${operation} of all members of a group`,
    params: { group: GROUP, ...KEYED },
    responses: { ...ACCEPTED, 404: 'there is no such group' },
    respond: (source, { params, key }) => operate(source, operation, { names: [], group: params.group ?? '' }, key),
  };
}

function groupMemberRoute(operation: 'stop' | 'restart'): Route {
  return {
    method: 'POST',
    path: `/group/{group}/operation/{op}/${operation}`,
    summary: `Requests the ${operation} of one member of a group`,
    params: { group: GROUP, op: OP, ...KEYED },
    responses: { ...ACCEPTED, 404: 'there is no such service in that group' },
    respond: (source, { params, key }) => {
      const { group = '', op = '' } = params;
      const named = isGlob(op) ? [] : matchServices(op, source.snapshot().services);
      if (!named.some((service) => service.group === group)) return refuse(404, `there is no ${op} in group ${group}`);
      return operate(source, operation, { names: [op] }, key);
    },
  };
}

/** The routes of this file, for the table of all routes. */
export const NOSANA_ROUTES: readonly Route[] = [
  OPS,
  groupRoute('stop'),
  groupRoute('restart'),
  groupMemberRoute('stop'),
  groupMemberRoute('restart'),
];
