// Asks the supervisor over its socket. Walks the same places as the server; says where it looked when nobody is there.
import request from 'undici/lib/api/api-request.js';
import Client from 'undici/lib/dispatcher/client.js';
import type { Place } from './address.ts';

export type Asked =
  | { readonly ok: true; readonly status: number; readonly body: unknown }
  | { readonly ok: false; readonly looked: readonly string[] };

/** Milliseconds until a supervisor that does not answer counts as none. */
const PATIENCE = 5_000;

export async function ask(places: readonly Place[], path: string): Promise<Asked> {
  const looked: string[] = [];
  for (const place of places) {
    try {
      return { ok: true, ...(await get(place.path, path)) };
    } catch (error) {
      looked.push(`${place.path}: ${describe(error)}`);
    }
  }
  return { ok: false, looked };
}

async function get(socketPath: string, path: string): Promise<{ status: number; body: unknown }> {
  const client = new Client('http://svc-super', {
    connect: { socketPath },
    headersTimeout: PATIENCE,
    bodyTimeout: PATIENCE,
  });
  try {
    const { statusCode, body } = await request.call(client, { method: 'GET', path });
    return { status: statusCode, body: await body.json() };
  } finally {
    await client.destroy();
  }
}

function describe(error: unknown): string {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'no such socket';
    case 'ECONNREFUSED':
      return 'nobody answers';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
