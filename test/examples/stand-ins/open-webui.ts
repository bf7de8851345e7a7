// Stands in for Open WebUI: its health, a page for every other path, and the list of models that it fetches when asked.

import { existsSync, writeFileSync } from 'node:fs';
import { say } from './say.ts';

const option = (name: string): string | undefined =>
  process.argv.flatMap((one, at, all) =>
    one === `--${name}` ? [all[at + 1]] : one.startsWith(`--${name}=`) ? [one.slice(name.length + 3)] : [],
  )[0];

if (!process.env.WEBUI_SECRET_KEY && !existsSync('.webui_secret_key')) writeFileSync('.webui_secret_key', 'a key');
const { OPENAI_API_BASE_URL, OLLAMA_BASE_URL, DATA_DIR } = process.env;
const server = Bun.serve({
  hostname: option('host') ?? '0.0.0.0',
  idleTimeout: 0,
  port: Number(option('port') ?? process.env.PORT ?? 8080),
  routes: {
    '/health': () => Response.json({ status: true }),
    '/api/models': () => fetch(OPENAI_API_BASE_URL ? `${OPENAI_API_BASE_URL}/models` : `${OLLAMA_BASE_URL}/api/tags`),
    // Passes an answer on as it comes, as the real one does for its page.
    '/api/chat/completions': (request) =>
      fetch(`${OPENAI_API_BASE_URL}/chat/completions`, { method: 'POST', body: request.body }),
    '/*': () => new Response('<title>Open WebUI</title>', { headers: { 'content-type': 'text/html' } }),
  },
});
say(`Open WebUI with ${DATA_DIR} in ${process.cwd()}`);
process.on('SIGTERM', async () => {
  say('Open WebUI leaves');
  await server.stop();
  process.exit(0);
});
