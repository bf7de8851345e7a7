// The paths and words by which a node of Nosana asks for the state of its job's operations, and stops or restarts them: what it
// calls an operation is a service. The rules are those of operations.ts.
import { isGlob, matchServices } from '../../plan/names.ts';
import { type Parameter, type Route, refuse } from '../api.ts';
import { ACCEPTED, KEYED, operate } from '../operations.ts';
import type { WireService } from '../wire.ts';

const FOUR_STATES: Readonly<Record<string, string>> = {
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

/** The four states of Nosana: pending, running, completed, failed. A stop by the operator is not a failure. */
function nosanaState(state: WireService['state']): string {
  return FOUR_STATES[state] ?? 'completed';
}

const OPS: Route = {
  method: 'GET',
  path: '/ops',
  summary: 'Every service and one of four states: pending, running, completed, failed',
  responses: { 200: 'an object of names' },
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
      const found = matchServices(op, source.snapshot().services).some(
        (service) => !isGlob(op) && service.group === group,
      );
      if (!found) return refuse(404, `there is no ${op} in group ${group}`);
      return operate(source, operation, { names: [op] }, key);
    },
  };
}

export const NOSANA_ROUTES: readonly Route[] = [
  OPS,
  groupRoute('stop'),
  groupRoute('restart'),
  groupMemberRoute('stop'),
  groupMemberRoute('restart'),
];
