// The demo stack as a user meets it: the gate, the page that answers through the model, the crash, the clean end.
// It runs the built binary with the real example; only ports and loading time differ.

import { describe, expect, test } from 'bun:test';
import { freePorts, missing, notRoot, type Stack, skipWhen, startStack, until } from './stack.ts';

const FILE = 'examples/demo/services.yaml';
const withoutPid1 = skipWhen([missing('unshare'), notRoot], 'the demo as PID 1 (it runs as a plain process)');

interface Demo extends Stack {
  readonly model: string;
  readonly page: string;
}

async function startDemo(loadSeconds: number, init = !withoutPid1): Promise<Demo> {
  const [modelPort, pagePort] = freePorts(2).map(String) as [string, string];
  const env = {
    MODEL_PORT: modelPort,
    PAGE_PORT: pagePort,
    LOAD_SECONDS: String(loadSeconds),
    TOKENS_PER_SECOND: '200',
  };
  const stack = await startStack(FILE, env, { init });
  return { ...stack, model: `http://127.0.0.1:${modelPort}`, page: `http://127.0.0.1:${pagePort}` };
}

async function statusOf(url: string): Promise<number | 'closed'> {
  try {
    return (await fetch(url)).status;
  } catch {
    return 'closed';
  }
}

const pageUp = (demo: Demo) => until('the page to answer', async () => (await statusOf(`${demo.page}/health`)) === 200);

function ask(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
}

const HELLO = [{ role: 'user', content: 'Hello' }];

describe('the demo', () => {
  test('opens the gate only after the model has loaded, streams through it, and ends with 0 on SIGTERM', async () => {
    await using demo = await startDemo(2);
    await until('the model server to listen', async () => (await statusOf(`${demo.model}/health`)) === 503);
    expect(await statusOf(`${demo.model}/v1/models`)).toBe(503);
    expect(await statusOf(demo.page)).toBe('closed');
    await pageUp(demo);
    expect(await statusOf(`${demo.model}/health`)).toBe(200);
    const output = demo.output();
    expect(output.indexOf('chat page on')).toBeGreaterThan(output.indexOf('model toy-eliza is loaded'));
    expect(output.indexOf('model toy-eliza is loaded')).toBeGreaterThan(output.indexOf('checkpoint shards: 8/8'));

    const answer = await ask(`${demo.page}/api/chat`, { messages: HELLO });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const pieces: string[] = [];
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) pieces.push(chunk);
    expect(pieces.length).toBeGreaterThan(3); // as it was written, not at the end
    const events = pieces.join('').trim().split('\n\n');
    expect(events.at(-1)).toBe('data: [DONE]');
    const words = events.slice(0, -1).map((event) => JSON.parse(event.slice(6)).choices[0].delta.content ?? '');
    expect(words.join('')).toBe('Hello. I am the toy model of this demo. What is on your mind?');

    process.kill(demo.pid, 'SIGTERM');
    expect(await demo.exitCode).toBe(0);
    expect(demo.processes()).toEqual([]);
  }, 60_000);

  test('status and health tell a person and a HEALTHCHECK that all is ready', async () => {
    await using demo = await startDemo(0);
    await pageUp(demo);
    await until('health to say so', async () => (await demo.command('health')).code === 0);
    const { code, output } = await demo.command('status');
    expect(code).toBe(0);
    expect(output).toMatch(/model.*ready/);
    expect(output).toMatch(/page.*ready/);
    process.kill(demo.pid, 'SIGINT');
    expect(await demo.exitCode).toBe(0);
  }, 60_000);

  for (const init of [true, false]) {
    test.skipIf(init && withoutPid1)(
      `kill -9 on the model server ends it with 137 and cleans up the engine, ${init ? 'as PID 1' : 'not as PID 1'}`,
      async () => {
        await using demo = await startDemo(0, init);
        await pageUp(demo);
        const server = demo.find('model-server.ts');
        const engine = demo.find('engine.ts');
        expect(engine.name).toBe('toy::EngineCore');
        process.kill(server.pid, 'SIGKILL');
        expect(await demo.exitCode).toBe(137);
        expect(demo.processes()).toEqual([]);
        expect(() => process.kill(engine.pid, 0)).toThrow();
        expect(demo.output()).toMatch(/cleaned up .*toy::EngineCore/);
      },
      60_000,
    );
  }

  test('a dead engine, after which the model server exits 0, is a failure with code 1', async () => {
    await using demo = await startDemo(0);
    await pageUp(demo);
    process.kill(demo.find('engine.ts').pid, 'SIGKILL');
    expect(await demo.exitCode).toBe(1);
    expect(demo.output()).toContain('engine died (SIGKILL)');
  }, 60_000);

  test('the model server speaks the OpenAI API: whole answers, limits, errors', async () => {
    await using demo = await startDemo(0);
    await pageUp(demo);
    const url = `${demo.model}/v1/chat/completions`;
    const models = await (await fetch(`${demo.model}/v1/models`)).json();
    expect(models).toMatchObject({ object: 'list', data: [{ id: 'toy-eliza', object: 'model' }] });

    const whole = await (await ask(url, { model: 'toy-eliza', messages: HELLO })).json();
    expect(whole).toMatchObject({
      object: 'chat.completion',
      model: 'toy-eliza',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 14, total_tokens: 15 },
    });
    const cut = await (await ask(url, { model: 'toy-eliza', messages: HELLO, max_tokens: 2 })).json();
    expect(cut).toMatchObject({ choices: [{ message: { content: 'Hello. I ' }, finish_reason: 'length' }] });

    const unknown = await ask(url, { model: 'gpt', messages: HELLO });
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { code: 'model_not_found', type: 'invalid_request_error' } });
    for (const wrong of ['{"model', '[]', { model: 'toy-eliza' }, { model: 'toy-eliza', messages: [] }]) {
      const refused = await ask(url, wrong);
      expect(refused.status).toBe(400);
      expect(await refused.json()).toHaveProperty('error.message');
    }
    process.kill(demo.pid, 'SIGTERM');
    expect(await demo.exitCode).toBe(0);
  }, 60_000);
});
