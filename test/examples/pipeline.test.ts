// The pipeline example with the real PostgreSQL, Redis and nginx: stages, the way through all of them, and for each the
// stop that it wants. The programs come from Debian's packages; without them the file says that it was skipped.

import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  expectInOrder,
  freePorts,
  missing,
  notRoot,
  openFolder,
  type Stack,
  skipWhen,
  startStack,
  until,
} from './stack.ts';

const FILE = 'examples/pipeline/services.yaml';

function postgresMissing(): string | null {
  const found = [...new Bun.Glob('/usr/lib/postgresql/*/bin/postgres').scanSync({ absolute: true })];
  return found.length === 1 ? null : `${found.length} versions of PostgreSQL are installed, one is needed`;
}

const skipped = skipWhen(
  [missing('unshare'), notRoot, missing('nginx'), missing('redis-server'), postgresMissing()],
  'the pipeline example',
);

interface Pipeline extends Stack {
  readonly web: string;
}

async function startPipeline(data: string): Promise<Pipeline> {
  const [web, api, postgres, redis] = freePorts(4).map(String) as [string, string, string, string];
  const stack = await startStack(FILE, {
    PIPELINE_DATA: data,
    PIPELINE_WEB_PORT: web,
    PIPELINE_API_PORT: api,
    PIPELINE_POSTGRES_PORT: postgres,
    PIPELINE_REDIS_PORT: redis,
  });
  return { ...stack, web: `http://127.0.0.1:${web}` };
}

async function postItem(pipeline: Pipeline, text: string): Promise<unknown> {
  return until('an item to go through nginx and the API into both databases', async () => {
    const response = await fetch(`${pipeline.web}/api/items`, { method: 'POST', body: JSON.stringify({ text }) });
    return response.status === 201 && (await response.json());
  });
}

const listItems = async (pipeline: Pipeline) => (await fetch(`${pipeline.web}/api/items`)).json();

function uidOf(pid: number): number {
  return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

describe.skipIf(skipped)('the pipeline', () => {
  test('starts in stages, answers through all of them, and stops each service in its own way', async () => {
    const data = await openFolder();
    try {
      await using pipeline = await startPipeline(data);
      expect(await postItem(pipeline, 'first')).toMatchObject({ item: { id: 1, text: 'first' }, posted: 1 });
      expect(await listItems(pipeline)).toMatchObject({ items: [{ text: 'first' }], posted: 1 });
      expect(await (await fetch(pipeline.web)).text()).toContain('<title>Items');
      expect((await fetch(`${pipeline.web}/api/health`)).status).toBe(200);
      expect(uidOf(pipeline.find('nginx: master').pid)).not.toBe(0);
      expect(uidOf(pipeline.find('bin/postgres -D').pid)).not.toBe(0);
      // nginx opened /dev/stdout under another user, and its lines arrive under the service's name.
      await until('the access log', () => /^web +\| .*"POST \/api\/items HTTP\/1\.1" 201/m.test(pipeline.output()));

      process.kill(pipeline.pid, 'SIGTERM');
      expect(await pipeline.exitCode).toBe(0);
      expect(pipeline.processes()).toEqual([]);
      const output = pipeline.output();
      expectInOrder(output, ['database system is ready to accept connections', 'api on http://']);
      expectInOrder(output, ['Ready to accept connections', 'api on http://']);
      expectInOrder(output, ['signal 3 (SIGQUIT) received', 'received fast shutdown request']);
      expectInOrder(output, ['received fast shutdown request', 'database system is shut down']);
      expectInOrder(output, ['gracefully shutting down', 'Received SIGTERM scheduling shutdown', 'bye bye']);
      expect(readdirSync(join(data, 'postgres'))).not.toContain('postmaster.pid');

      // What was stored is there again, and the tasks that have nothing left to do do nothing.
      await using again = await startPipeline(data);
      expect(await postItem(again, 'second')).toMatchObject({ item: { id: 2 }, posted: 2 });
      expect(again.output()).not.toContain('database system was not properly shut down');
      process.kill(again.pid, 'SIGTERM');
      expect(await again.exitCode).toBe(0);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  }, 120_000);

  test('kill -9 on PostgreSQL ends everything with 137, and none of its processes is left', async () => {
    const data = await openFolder();
    try {
      await using pipeline = await startPipeline(data);
      await postItem(pipeline, 'kept');
      process.kill(pipeline.find('bin/postgres -D').pid, 'SIGKILL');
      expect(await pipeline.exitCode).toBe(137);
      expect(pipeline.processes()).toEqual([]);
      expectInOrder(pipeline.output(), ['signal 3 (SIGQUIT) received', 'bye bye']);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  }, 120_000);
});
