// The OpenAPI 3.1 document of the control API, generated from the route table, so that the two cannot disagree. Pure.
import type { Parameter, Route } from './api.ts';

type Json = Readonly<Record<string, unknown>>;

const TYPES = {
  string: { type: 'string' },
  strings: { type: 'array', items: { type: 'string' } },
  integer: { type: 'integer' },
  boolean: { type: 'boolean' },
  duration: { type: 'string', pattern: '^\\d', examples: ['500ms', '30s', '5m'] },
} satisfies Readonly<Record<Parameter['type'], Json>>;

const ERROR = { $ref: '#/components/schemas/Error' };

/** `isOpen`: whether a path needs no token. */
export function describeApi(routes: readonly Route[], version: string, isOpen: (path: string) => boolean): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const methods = paths[route.path] ?? {};
    paths[route.path] = methods;
    methods[route.method.toLowerCase()] = describeRoute(route, isOpen(route.path));
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'svc-super',
      version,
      summary: 'The control API of a container process supervisor',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token of `control.http`; not needed over the unix socket',
        },
      },
      schemas: {
        Error: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
      },
    },
  };
}

function describeRoute(route: Route, isOpen: boolean): Json {
  const params = Object.entries(route.params ?? {});
  const inPath = [...route.path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  const undescribed = inPath.filter((name) => !params.some(([known]) => known === name));
  const parameters = [
    ...undescribed.map((name) => ({ name, in: 'path', required: true, schema: TYPES.string })),
    ...params
      .filter(([, parameter]) => parameter.in !== 'body')
      .map(([name, parameter]) => ({
        name,
        in: parameter.in,
        description: parameter.summary,
        ...((parameter.required || parameter.in === 'path') && { required: true }),
        schema: TYPES[parameter.type],
      })),
  ];
  const body = params.filter(([, parameter]) => parameter.in === 'body');
  return {
    operationId: nameOf(route),
    summary: route.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body.length > 0 && { requestBody: describeBody(body) }),
    ...(isOpen && { security: [] }),
    responses: describeResponses(route, isOpen),
  };
}

function describeBody(body: readonly (readonly [string, Parameter])[]): Json {
  const required = body.filter(([, parameter]) => parameter.required).map(([name]) => name);
  const properties = Object.fromEntries(
    body.map(([name, parameter]) => [name, { ...TYPES[parameter.type], description: parameter.summary }]),
  );
  const schema = { type: 'object', properties, ...(required.length > 0 && { required }) };
  return { required: required.length > 0, content: { 'application/json': { schema } } };
}

function describeResponses({ responses, streams }: Route, isOpen: boolean): Json {
  const all = { ...responses, ...(!isOpen && { 401: 'the token is missing or wrong' }) };
  return Object.fromEntries(
    Object.entries(all).map(([status, description]) => {
      // The 503 of the health checks has their ordinary body.
      if (Number(status) >= 400 && Number(status) !== 503) {
        return [status, { description, content: { 'application/json': { schema: ERROR } } }];
      }
      return [status, { description, ...(streams && { content: { 'application/x-ndjson': { schema: {} } } }) }];
    }),
  );
}

/** `getV1Services`, `postV1ServicesNameStop`. */
function nameOf({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
