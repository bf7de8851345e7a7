// Stands in for `jupyter lab`: /api is open, /api/status wants the token of the environment.

import { say } from './say.ts';

const { JUPYTER_TOKEN } = process.env;
Bun.serve({
  hostname: '0.0.0.0',
  port: 8888,
  routes: {
    '/api': () => Response.json({ version: '2.21.1' }),
    '/api/status': (request) =>
      request.headers.get('authorization') === `token ${JUPYTER_TOKEN}`
        ? Response.json({ kernels: 0 })
        : new Response('Forbidden', { status: 403 }),
  },
});
process.on('SIGTERM', () => {
  say('JupyterLab leaves');
  process.exit(0);
});
