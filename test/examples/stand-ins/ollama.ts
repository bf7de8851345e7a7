// Stands in for Ollama: `serve` with its list of models and a runner in a session of its own, `show` and `pull` as clients
// of it. STAND_IN_NO_NETWORK=N: the first N pulls fail.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { say } from './say.ts';

const [, , verb, model = ''] = process.argv;
const FOLDER = '/root/.ollama/models';
const COUNT = '/tmp/pulls';
const { OLLAMA_HOST = '127.0.0.1:11434', STAND_IN_NO_NETWORK = '0' } = process.env;

if (verb === 'serve') {
  mkdirSync(FOLDER, { recursive: true });
  // Out of reach of a signal to the group, as Ollama's runners are.
  Bun.spawn(['setsid', 'bun', import.meta.path, 'runner'], { stdio: ['ignore', 'ignore', 'ignore'] });
  const [hostname, port] = OLLAMA_HOST.split(':') as [string, string];
  Bun.serve({
    hostname,
    port: Number(port),
    routes: {
      '/api/version': () => Response.json({ version: '0.0.0' }),
      '/api/tags': () => Response.json({ models: readdirSync(FOLDER).map((name) => ({ name, model: name })) }),
    },
  });
  say(`Listening on ${OLLAMA_HOST}`);
  process.on('SIGTERM', () => {
    say('Ollama leaves');
    process.exit(0);
  });
} else if (verb === 'runner') {
  setInterval(() => {}, 1e6);
} else if (verb === 'show') {
  process.exit(existsSync(`${FOLDER}/${model}`) ? 0 : 1);
} else if (verb === 'pull') {
  const pulls = existsSync(COUNT) ? Number(await Bun.file(COUNT).text()) : 0;
  writeFileSync(COUNT, String(pulls + 1));
  if (!(await fetch(`http://${OLLAMA_HOST}/api/version`)).ok) process.exit(2);
  if (pulls < Number(STAND_IN_NO_NETWORK)) {
    say('Error: pull model manifest: dial tcp: no such host');
    process.exit(1);
  }
  say(`\u001b[?25lpulling ${model}: 100%\u001b[?25h`);
  writeFileSync(`${FOLDER}/${model}`, '');
}
