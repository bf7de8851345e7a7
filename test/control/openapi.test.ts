// The OpenAPI document and the route table: every route is in it, and every reference is valid.
import { describe, expect, test } from 'bun:test';
import { describeApi } from '../../src/control/openapi.ts';
import { ROUTES } from '../../src/control/routes.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: { type: string } }[];
  readonly requestBody?: { content: { 'application/json': { schema: { properties: Record<string, unknown> } } } };
  readonly responses: Readonly<Record<string, { description: string }>>;
  readonly security?: readonly unknown[];
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

// As it arrives: through JSON.
const document = JSON.parse(JSON.stringify(describeApi(ROUTES, '1.2.3', () => false))) as Document;
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

describe('the OpenAPI document', () => {
  test('contains exactly the routes, with summaries, responses and parameters', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    expect(operations).toHaveLength(ROUTES.length);
    for (const { method, path, summary, params = {}, responses } of ROUTES) {
      const found = document.paths[path]?.[method.toLowerCase()];
      expect(found?.summary).toBe(summary);
      expect(Object.keys(found?.responses ?? {})).toEqual(expect.arrayContaining(Object.keys(responses)));
      for (const [name, parameter] of Object.entries(params)) {
        if (parameter.in === 'body') {
          expect(found?.requestBody?.content['application/json'].schema.properties).toHaveProperty(name);
        } else expect(found?.parameters).toContainEqual(expect.objectContaining({ name, in: parameter.in }));
      }
    }
  });

  test('declares path parameters, as required', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const wanted = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
      for (const { parameters = [] } of Object.values(methods)) {
        const found = parameters.filter((one) => one.in === 'path');
        expect(found.map(({ name }) => name).sort()).toEqual(wanted.sort());
        expect(found.every(({ required }) => required)).toBe(true);
      }
    }
  });

  test('names each operation once, and describes each response', () => {
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { responses, summary } of operations) {
      expect(summary).not.toBe('');
      for (const [status, { description }] of Object.entries(responses)) {
        expect(status).toMatch(/^[1-5]\d\d$/);
        expect(description).not.toBe('');
      }
    }
  });

  test('has no dangling reference', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref = '']) => ref.split('/'));
    expect(refs.length).toBeGreaterThan(0);
    for (const ref of refs) {
      const found = ref.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
      expect(found).toBeDefined();
    }
  });

  test('marks the routes that need no token', () => {
    const open = describeApi(ROUTES, '1', (path) => path === '/v1/health') as unknown as Document;
    expect(open.paths['/v1/health']?.get?.security).toEqual([]);
    expect(open.paths['/v1/health']?.get?.responses).not.toHaveProperty('401');
    expect(open.paths['/v1/status']?.get?.security).toBeUndefined();
    expect(open.paths['/v1/status']?.get?.responses).toHaveProperty('401');
  });
});
