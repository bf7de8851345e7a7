// The example of the dashboard with the built program: the page, and what its views request. test/e2e/dashboard.test.ts opens the
// page in a browser.
import { expect, test } from 'bun:test';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DetailsBody } from '../../src/control/details.ts';
import type { HistoryJson } from '../../src/control/resource-history.ts';
import { freePorts, missing, notRoot, openFolder, skipWhen, startStack, until } from './stack.ts';

const FILE = 'examples/dashboard/services.yaml';
const skipped = skipWhen([missing('unshare'), notRoot], 'the example of the dashboard');

test.skipIf(skipped)('the page is served, and its data has the failed runs, the history and no secret', async () => {
  const folder = await openFolder();
  try {
    const token = join(folder, 'token');
    await Bun.write(token, 'secret-token\n');
    const [port = 0] = freePorts(1);
    const env = { DASHBOARD_PORT: String(port), DASHBOARD_TOKEN_FILE: token, WORKER_LASTS: '0' };
    await using stack = await startStack(FILE, env, { init: true });
    const url = `http://127.0.0.1:${port}`;
    const page = await until('the page', () => fetch(url));
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'sha256-/);
    expect(await page.text()).toMatch(/^<!doctype html>[\s\S]*<div id="app"><\/div>\s*<script>.{1000}/);
    expect((await fetch(`${url}/v1/history`)).status).toBe(401);
    const get = async <T>(path: string) =>
      (await (await fetch(url + path, { headers: { authorization: 'Bearer secret-token' } })).json()) as T;
    const worker = await until('a failed run', async () => {
      const details = await get<DetailsBody>('/v1/services/worker/details');
      return details.runs.some(({ result }) => result === 'failed') ? details : null;
    });
    expect(worker.runs.at(-1)).toMatchObject({ run: 1, result: 'failed', exit: { code: 3, signal: null } });
    expect((await get<DetailsBody>('/v1/services/api/details')).needed_by.map(({ name }) => name)).toContain('proxy');
    const database = await get<DetailsBody>('/v1/services/database/details');
    expect(database.env).toContainEqual({ name: 'DATABASE_PASSWORD', value: null });
    expect(database.probes[0]).toMatchObject({ use: 'ready', kind: 'log', last: { result: 'ok' } });
    const { times, services } = await get<HistoryJson>('/v1/history');
    expect(times.length).toBeGreaterThan(0);
    expect(services.database?.memory_bytes.at(-1)).toBeGreaterThan(100_000);
    expect((await stack.command('stop', 'proxy')).code).toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
