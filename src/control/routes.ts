// Every route of the control API: method, path, what it is for, what it takes, what it answers. The one documented place:
// the OpenAPI document and docs are made from it.
import type { Route, StatusBody } from './api.ts';

const STATUS: Route = {
  method: 'GET',
  path: '/v1/status',
  summary: 'The whole state: each service with its state, readiness or why not, restarts, processor time and memory',
  answers: { 200: 'the state' },
  answer: (source) => {
    const usage = source.usage();
    const { services, ...rest } = source.snapshot();
    const body: StatusBody = {
      ...rest,
      version: source.version,
      pid: source.pid,
      services: services.map((service) => ({ ...service, usage: usage.get(service.name) ?? null })),
    };
    return { status: 200, body };
  },
};

const HEALTH: Route = {
  method: 'GET',
  path: '/v1/health',
  summary: 'Whether every essential service is ready and every essential task has completed',
  answers: { 200: 'healthy', 503: 'not healthy: `waiting` says who and why' },
  answer: (source) => {
    const { healthy, services } = source.snapshot();
    const waiting = services
      .filter(({ essential, ready, state }) => essential && !ready && state !== 'skipped')
      .map(({ name, state, reason }) => ({ name, state, reason }));
    return { status: healthy ? 200 : 503, body: { healthy, waiting } };
  },
};

export const ROUTES: readonly Route[] = [STATUS, HEALTH];
