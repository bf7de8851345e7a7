// Stands in for `vllm serve`: loads for a moment, then answers at the same endpoints with the same forms. An engine as a
// process of its own; on SIGTERM it cuts off what it is answering, and with a dead engine it exits 0, both like vLLM.

import { say } from './say.ts';

const [, , verb, model, ...rest] = process.argv;
if (verb === 'engine') setInterval(() => {}, 1e6);
else serve();

function option(name: string, fallback: string): string {
  return rest.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
}

async function serve(): Promise<void> {
  const name = option('served-model-name', model ?? '');
  const engine = Bun.spawn(['bun', import.meta.path, 'engine'], { stdio: ['ignore', 'inherit', 'inherit'] });
  say(`loading ${model} in ${process.env.VIRTUAL_ENV} on GPU ${process.env.CUDA_VISIBLE_DEVICES ?? 'any'}`);
  await Bun.sleep(300);
  let running = 0;
  const server = Bun.serve({
    hostname: '0.0.0.0',
    port: Number(option('port', '8000')),
    idleTimeout: 0,
    routes: {
      '/health': () =>
        new Response(null, { status: engine.exitCode === null && engine.signalCode === null ? 200 : 503 }),
      '/v1/models': () => Response.json({ object: 'list', data: [{ id: name, object: 'model' }] }),
      '/metrics': () => {
        const labels = `{engine="0",model_name="${name}"}`;
        return new Response(
          ['running', 'waiting']
            .map((kind) => `vllm:num_requests_${kind}`)
            .map((metric) => `# HELP ${metric} Number of requests.\n# TYPE ${metric} gauge\n${metric}${labels} `)
            .map((text) => `${text}${text.includes('running') ? running : 0}.0\n`)
            .join(''),
        );
      },
      // Writes a word for each of `words`, a tenth of a second apart.
      '/v1/chat/completions': async (request) => {
        const { words } = (await request.json()) as { words: string[] };
        running++;
        const write = async function* () {
          for (const word of words) {
            yield `${word} `;
            await Bun.sleep(100);
          }
          running--;
          say('answered');
        };
        return new Response(write());
      },
    },
  });
  say('INFO 11-29 12:00:00 [launcher.py:46] Available routes are:');
  say('INFO 11-29 12:00:00 [launcher.py:46] Route: /openapi.json, Methods: GET, HEAD');
  say(`serving ${name}`);
  const leave = (): never => {
    server.stop(true);
    engine.kill('SIGKILL');
    process.exit(0);
  };
  process.on('SIGTERM', () => {
    say(`SIGTERM with ${running} running`);
    leave();
  });
  engine.exited.then(leave);
}
