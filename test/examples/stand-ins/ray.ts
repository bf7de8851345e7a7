// Stands in for `ray start --head --block`: its dashboard, to which `serve deploy` (serve.ts) talks, Serve's proxy, and a raylet
// and workers in sessions of their own. Ends when the raylet ends. Starts an application and ends as slowly as Ray does.

import { say } from './say.ts';

interface Application {
  readonly name: string;
  readonly route_prefix: string;
  readonly runtime_env: { readonly py_executable: string };
}

let applications: readonly (Application & { status: string })[] = [];

function spawnIdle(title: string) {
  return Bun.spawn(['setsid', 'bun', '-e', 'setInterval(() => {}, 1e6)', title], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
}

function startProxy(): void {
  Bun.serve({
    hostname: '127.0.0.1',
    port: 8000,
    routes: {
      '/-/healthz': new Response('success'),
      '/-/routes': () => Response.json(Object.fromEntries(applications.map((one) => [one.route_prefix, one.name]))),
    },
    async fetch(request) {
      const url = new URL(request.url);
      const found = applications.find(({ route_prefix }) => url.pathname.startsWith(route_prefix));
      if (found?.status !== 'RUNNING') return new Response('Path not found', { status: found ? 503 : 404 });
      await Bun.sleep(Number(url.searchParams.get('wait') ?? 0));
      say(`${found.name} answered`);
      return Response.json({ name: found.name, python: found.runtime_env.py_executable });
    },
  });
}

async function deploy(given: readonly Application[]): Promise<void> {
  if (applications.length === 0) startProxy();
  applications = given.map((one) => ({ ...one, status: 'DEPLOYING' }));
  for (const one of applications) {
    await Bun.sleep(200);
    spawnIdle(`ray::ServeReplica:${one.name}`);
    one.status = 'RUNNING';
    say(`${one.name} is running`);
  }
}

if (!process.argv.includes('--block')) throw new Error('this stand-in knows `ray start --block` only');
spawnIdle('raylet').exited.then(() => {
  say('Some Ray subprocesses exited unexpectedly: raylet');
  process.exit(1); // as `ray start --block` does
});
await Bun.sleep(200);
Bun.serve({
  hostname: '127.0.0.1',
  port: 8265,
  routes: {
    '/api/gcs_healthz': new Response('success'),
    '/api/serve/applications/': {
      GET: () => Response.json({ applications: Object.fromEntries(applications.map((one) => [one.name, one])) }),
      PUT: async (request) => {
        deploy(((await request.json()) as { applications: Application[] }).applications);
        return new Response('{}');
      },
    },
  },
});
say('Ray runtime started.');
say('[state-dump] NodeManager: 0 queued tasks');
process.on('SIGTERM', async () => {
  say('Ray received SIGTERM');
  await Bun.sleep(1_000 * Number(process.env.RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S ?? 30));
  process.exit(1); // what `ray start --block` ends with
});
