// The example of three model servers behind nginx, with stand-ins of the same endpoints in place of vLLM: nginx spreads the
// questions and loses none when a copy is killed; the copy comes back and takes part again.

import { describe, expect, test } from 'bun:test';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, missing, notRoot, openFolder, type Stack, skipWhen, startStack, until } from './stack.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const EXAMPLE = 'examples/replicas-nginx';
const skipped = skipWhen([missing('unshare'), notRoot, missing('nginx')], 'the example of replicas behind nginx');

/** A virtual environment whose `vllm` is the demo's model server, which takes vLLM's options. */
async function makeVenv(folder: string): Promise<string> {
  const bin = join(folder, 'venv/bin');
  await mkdir(bin, { recursive: true });
  const server = `exec ${ROOT}node_modules/.bin/bun ${ROOT}examples/demo/model-server.ts`;
  const programs = { python: 'exit 0', vllm: `[ "$1" = serve ] || exit 64\nshift 2\n${server} "$@"` };
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return join(folder, 'venv');
}

interface Seen {
  readonly name: string;
  readonly state: string;
  readonly run: number;
  readonly pid: number | null;
}

const services = async (stack: Stack, ...names: string[]): Promise<readonly Seen[]> =>
  JSON.parse((await stack.command('status', '--json', ...names)).output).services;

/** How many questions each copy has answered so far, by its own log. */
function answered(stack: Stack): readonly number[] {
  const lines = stack.output().split('\n');
  return [0, 1, 2].map(
    (copy) => lines.filter((line) => new RegExp(`^vllm\\.${copy} +\\| POST .* 200`).test(line)).length,
  );
}

const QUESTION = JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'Hello' }] });

/** Asks without a pause, several at a time, until told to stop; gives what came of each. */
function load(url: string, clients: number) {
  const results: (number | string)[] = [];
  let going = true;
  const client = async (): Promise<void> => {
    while (going) {
      try {
        const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: QUESTION });
        const body = await response.text();
        results.push(response.ok && body.includes('"finish_reason"') ? 200 : `${response.status} ${body}`);
      } catch (error) {
        results.push(String(error));
      }
    }
  };
  const done = Promise.all(Array.from({ length: clients }, client));
  return {
    results,
    async stop() {
      going = false;
      await done;
    },
  };
}

describe.skipIf(skipped)('three model servers behind nginx', () => {
  test('one is killed under load, no question is lost, and it comes back', async () => {
    const folder = await openFolder();
    const [web = 0, first = 0] = freePorts(4);
    const env = {
      VLLM_VENV: await makeVenv(folder),
      VLLM_GPUS: '0',
      MODEL_PORT: String(first),
      WEB_PORT: String(web),
      NGINX_RUN: join(folder, 'nginx'),
      NGINX_TEMPLATE: join(ROOT, EXAMPLE, 'nginx.conf.template'),
      LOAD_SECONDS: '1',
      TOKENS_PER_SECOND: '2000',
    };
    try {
      await using stack = await startStack(join(EXAMPLE, 'services.yaml'), env);
      const url = `http://127.0.0.1:${web}`;
      await until('everything to be ready', async () => (await stack.command('health')).code === 0, 60);
      expect((await services(stack, 'vllm')).map(({ name }) => name)).toEqual(['vllm.0', 'vllm.1', 'vllm.2']);

      const asking = load(url, 6);
      await until('each copy to have answered', () => answered(stack).every((count) => count > 3));
      process.kill(stack.find(`--port=${Number(env.MODEL_PORT) + 1}`).pid, 'SIGKILL');
      const killed = asking.results.length;
      await until('the others to answer meanwhile', () => asking.results.length > killed + 20);
      await until(
        'the copy to be ready again',
        async () => (await services(stack, 'vllm.1')).some(({ state, run }) => state === 'ready' && run === 2),
        60,
      );
      const before = answered(stack)[1] ?? 0;
      await until('nginx to ask it again', () => (answered(stack)[1] ?? 0) > before, 60);
      await asking.stop();
      expect(asking.results.filter((result) => result !== 200)).toEqual([]);
      expect((await services(stack)).map(({ name, run }) => `${name} ${run}`)).toEqual([
        'vllm.0 1',
        'vllm.1 2',
        'vllm.2 1',
        'configure 1',
        'nginx 1',
      ]);
      process.kill(stack.pid, 'SIGTERM');
      expect(await stack.exitCode).toBe(0);
      expect(stack.processes()).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 240_000);
});
