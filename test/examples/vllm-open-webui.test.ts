// vLLM and Open WebUI with stand-ins at their ports and endpoints: who waits for whom, what a request that is running
// at the end gets to see, and what the death of either means.

import { describe, expect, test } from 'bun:test';
import { type Box, healthy, skipBoxes, startBox } from './box.ts';
import { expectInOrder, until } from './stack.ts';

const skipped = skipBoxes('the example of vLLM and Open WebUI');
const API = 'http://127.0.0.1:9000';
const PAGE = 'http://127.0.0.1:8000';

const start = (env: Readonly<Record<string, string>> = {}, gpus = 1): Promise<Box> =>
  startBox({
    example: 'vllm-open-webui',
    programs: { '/opt/vllm/bin/vllm': 'vllm', '/opt/open-webui/bin/open-webui': 'open-webui' },
    files: { '/opt/vllm/bin/python': '', '/opt/open-webui/bin/python': '' },
    folders: ['data', 'models'],
    gpus,
    env,
  });

describe.skipIf(skipped)('vLLM and Open WebUI', () => {
  test('the page comes when the model is served, and a request that is running at the end is answered in full', async () => {
    await using box = await start();
    expect(await box.status(PAGE)).toBe('closed');
    await healthy(box);
    expectInOrder(box.output(), ['in /opt/vllm on GPU 0', 'serving R1-Qwen-1.5B', 'Open WebUI with /data in /data']);
    expect(await (await box.fetch(`${PAGE}/api/models`)).json()).toMatchObject({ data: [{ id: 'R1-Qwen-1.5B' }] });
    expect((await box.exec('cat', '/data/.webui_secret_key')).output).toBe('a key');

    const words = Array.from({ length: 15 }, (_, index) => `word-${index}`);
    const answer = await box.fetch(`${API}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ words }) });
    const metrics = await (await box.fetch(`${API}/metrics`)).text();
    expect(metrics).toContain('vllm:num_requests_running{engine="0",model_name="R1-Qwen-1.5B"} 1.0');
    process.kill(box.pid, 'SIGTERM');
    expect(await answer.text()).toBe(`${words.join(' ')} `);
    expect(await box.exitCode).toBe(0);
    expect(box.processes()).toEqual([]);
    expectInOrder(box.output(), ['Open WebUI leaves', 'answered', 'SIGTERM with 0 running']);
  }, 120_000);

  test('an answer that comes through the page for longer than three seconds is finished where there is time for it', async () => {
    await using box = await start({ STOP_TIMEOUT: '60s' });
    await healthy(box);
    const words = Array.from({ length: 60 }, (_, index) => `word-${index}`);
    const body = JSON.stringify({ words });
    const answer = await box.fetch(`${PAGE}/api/chat/completions`, { method: 'POST', body });
    process.kill(box.pid, 'SIGTERM');
    expect(await answer.text()).toBe(`${words.join(' ')} `);
    expect(await box.exitCode).toBe(0);
    expectInOrder(box.output(), ['Open WebUI leaves', 'answered', 'SIGTERM with 0 running']);
  }, 120_000);

  test('the routes that vLLM lists at its start are left out of the log', async () => {
    await using box = await start();
    await healthy(box);
    expect(box.output()).toContain('serving R1-Qwen-1.5B');
    expect(box.output()).not.toMatch(/Route: |Available routes/);
  }, 120_000);

  test('a request that takes longer than there is time is cut off, and that is no failure', async () => {
    await using box = await start({ STOP_TIMEOUT: '8s' });
    await healthy(box);
    const words = Array.from({ length: 600 }, () => 'word');
    const answer = await box.fetch(`${API}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ words }) });
    process.kill(box.pid, 'SIGTERM');
    const cut = await answer.text().catch(() => 'cut off');
    expect(cut.length).toBeLessThan(words.join(' ').length);
    expect(await box.exitCode).toBe(0);
    expect(box.output()).toContain('SIGTERM with 1 running');
  }, 120_000);

  test('kill -9 on vLLM ends its engine, then the page, and the code is 137', async () => {
    await using box = await start();
    await healthy(box);
    const engine = box.find('vllm.ts engine').pid;
    process.kill(box.find('vllm.ts serve').pid, 'SIGKILL');
    expect(await box.exitCode).toBe(137);
    expect(() => process.kill(engine, 0)).toThrow();
    expect(box.output()).toContain('Open WebUI leaves');
  }, 120_000);

  test('the death of its engine, after which vLLM exits 0, is a failure', async () => {
    await using box = await start();
    await healthy(box);
    process.kill(box.find('vllm.ts engine').pid, 'SIGKILL');
    expect(await box.exitCode).toBe(1);
    await until('the page to leave', () => box.output().includes('Open WebUI leaves'));
  }, 120_000);

  test('without a GPU it does not even begin', async () => {
    await using box = await start({}, 0);
    expect(await box.exitCode).toBe(78);
    expect(box.output()).toContain('was the container started without `--gpus all`');
    expect(box.output()).not.toContain('loading');
  }, 120_000);
});
