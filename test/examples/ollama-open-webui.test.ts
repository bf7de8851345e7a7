// Ollama and Open WebUI with stand-ins at their ports and endpoints: the model is pulled in between, with retries; what
// happens when it cannot be; and that no runner is left behind.

import { describe, expect, test } from 'bun:test';
import { type Box, healthy, skipBoxes, startBox } from './box.ts';
import { expectInOrder } from './stack.ts';

const skipped = skipBoxes('the example of Ollama and Open WebUI');
const PAGE = 'http://127.0.0.1:8080';

const start = (env: Readonly<Record<string, string>>, files: Readonly<Record<string, string>> = {}): Promise<Box> =>
  startBox({
    example: 'ollama-open-webui',
    programs: { '/usr/local/bin/ollama': 'ollama', '/usr/local/bin/uvicorn': 'open-webui' },
    folders: ['app/backend/data'],
    files,
    // As the image sets them.
    env: { WEBUI_SECRET_KEY: '', PORT: '8080', OLLAMA_BASE_URL: '/ollama', ...env },
  });

describe.skipIf(skipped)('Ollama and Open WebUI', () => {
  test('a pull that fails is tried again, the page comes when the model is listed, and all leave in order', async () => {
    await using box = await start({ STAND_IN_NO_NETWORK: '1', OLLAMA_MODEL: 'tiny:1b' });
    await healthy(box);
    expectInOrder(box.output(), [
      'Listening on 0.0.0.0:11434',
      'no such host',
      'pulling tiny:1b: 100%\n',
      'Open WebUI',
    ]);
    expect(await (await box.fetch(`${PAGE}/api/models`)).json()).toMatchObject({ models: [{ name: 'tiny:1b' }] });
    expect((await box.exec('stat', '-c', '%a', '/app/backend/data/.webui_secret_key')).output).toBe('600\n');
    process.kill(box.pid, 'SIGTERM');
    expect(await box.exitCode).toBe(0);
    expect(box.processes()).toEqual([]);
    expectInOrder(box.output(), ['Open WebUI leaves', 'Ollama leaves']);
  }, 120_000);

  test('when all attempts are used up the container ends with the code of the pull, and there never was a page', async () => {
    await using box = await start({ STAND_IN_NO_NETWORK: '99', PULL_RETRIES: '1' });
    expect(await box.exitCode).toBe(1);
    expect(box.output().match(/^pull +\| .*no such host$/gm)?.length).toBe(2);
    expect(box.output()).not.toContain('Open WebUI');
    expect(box.output()).toContain('Ollama leaves');
  }, 120_000);

  test('with the model in the volume it starts without a network; kill -9 on Ollama ends its runner too', async () => {
    await using box = await start({ STAND_IN_NO_NETWORK: '99' }, { '/root/.ollama/models/qwen3:0.6b': '' });
    await healthy(box);
    const runner = box.find('ollama.ts runner').pid;
    process.kill(box.find('ollama.ts serve').pid, 'SIGKILL');
    expect(await box.exitCode).toBe(137);
    expect(() => process.kill(runner, 0)).toThrow();
    expect(box.output()).toContain('Open WebUI leaves');
  }, 120_000);
});
