// The API of the pipeline: items in PostgreSQL, their count in Redis. `GET /items`, `POST /items {"text": …}`, and
// `GET /health`, which is true when both databases have answered. It takes its addresses from the environment
// (PGHOST, PGPORT, PGUSER, PGDATABASE, REDIS_URL) and waits for nothing: it is started when they are ready.

const hostname = '127.0.0.1';
const port = Number(process.env.PORT ?? 8081);

const sql = new Bun.SQL({
  adapter: 'postgres',
  hostname: process.env.PGHOST ?? '127.0.0.1',
  port: Number(process.env.PGPORT ?? 5432),
  username: process.env.PGUSER ?? 'postgres',
  database: process.env.PGDATABASE ?? 'postgres',
  max: 4,
});
const redis = new Bun.RedisClient(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function health(): Promise<Response> {
  try {
    await Promise.all([sql`select 1`, redis.send('PING', [])]);
    return Response.json({ status: true });
  } catch (error) {
    return Response.json({ status: false, error: reason(error) }, { status: 503 });
  }
}

async function listItems(): Promise<Response> {
  const [items, posted] = await Promise.all([
    sql`select id, text, created from items order by id desc limit 100`,
    redis.get('items:posted'),
  ]);
  return Response.json({ items, posted: Number(posted ?? 0) });
}

async function postItem(request: Request): Promise<Response> {
  const body: unknown = await request.json().catch(() => null);
  const text = typeof body === 'object' && body !== null && 'text' in body ? body.text : null;
  if (typeof text !== 'string' || text.trim() === '' || text.length > 500) {
    return Response.json({ error: 'expected {"text": …} of 1 to 500 characters' }, { status: 400 });
  }
  const [item] = await sql`insert into items (text) values (${text.trim()}) returning id, text, created`;
  const posted = await redis.incr('items:posted');
  return Response.json({ item, posted }, { status: 201 });
}

const server = Bun.serve({
  hostname,
  port,
  routes: {
    '/health': { GET: health },
    '/items': { GET: listItems, POST: postItem },
  },
  fetch: () => Response.json({ error: 'no such path' }, { status: 404 }),
  error(error) {
    say(`error: ${reason(error)}`);
    return Response.json({ error: 'internal error' }, { status: 500 });
  },
});
say(`api on http://${hostname}:${server.port}`);

async function shutDown(): Promise<void> {
  await Promise.race([server.stop(), Bun.sleep(server.pendingRequests > 0 ? 3000 : 0)]);
  await sql.close({ timeout: 1 });
  redis.close();
  process.exit(0);
}
process.on('SIGTERM', shutDown);
process.on('SIGINT', shutDown);
