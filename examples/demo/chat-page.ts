// The demo's chat page: serves one HTML file and passes /api/chat on to the model at OPENAI_API_BASE_URL, piece by
// piece as the model sends it. It keeps no conversation (the page does) and knows no model's name (it asks).

const MODEL_API = (process.env.OPENAI_API_BASE_URL ?? 'http://127.0.0.1:9000/v1').replace(/\/+$/, '');
const hostname = process.env.HOST ?? '127.0.0.1';
const port = Number(process.env.PORT ?? 8000);

const html = await Bun.file(`${import.meta.dir}/chat-page.html`).text();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** `'sha256-…'` of what stands inline in the page: it may run that and nothing else, and reach no other host. */
function hashOf(tag: 'style' | 'script'): string {
  const inline = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(html)?.[1] ?? '';
  return `'sha256-${new Bun.CryptoHasher('sha256').update(inline).digest('base64')}'`;
}

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    `default-src 'none'; script-src ${hashOf('script')}; style-src ${hashOf('style')}; connect-src 'self'; ` +
    `img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

function unavailable(why: string): Response {
  return Response.json({ error: { message: why } }, { status: 502 });
}

/** Of a failed request: its code (`ConnectionRefused`) says it in one word, where there is one. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/** The first model that the API lists, or why there is none. */
async function findModel(): Promise<{ id: string } | { why: string }> {
  try {
    const response = await fetch(`${MODEL_API}/models`, { signal: AbortSignal.timeout(5000) });
    if (!response.ok) return { why: `the model server answers ${response.status}` };
    const list = (await response.json()) as { data?: { id?: string }[] };
    const id = list.data?.[0]?.id;
    return id === undefined ? { why: 'the model server lists no model' } : { id };
  } catch (error) {
    return { why: `the model server does not answer (${reason(error)})` };
  }
}

async function model(): Promise<Response> {
  const found = await findModel();
  return 'id' in found ? Response.json(found) : unavailable(found.why);
}

/** Body: `{messages}`. Answer: the model's own event stream, unchanged. */
async function chat(request: Request): Promise<Response> {
  let messages: unknown;
  try {
    messages = ((await request.json()) as { messages?: unknown }).messages;
  } catch {
    return Response.json({ error: { message: 'the body of the request is not valid JSON' } }, { status: 400 });
  }
  const found = await findModel();
  if ('why' in found) return unavailable(found.why);
  try {
    const upstream = await fetch(`${MODEL_API}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ model: found.id, messages, stream: true }),
      signal: request.signal, // the reader went away or pressed Stop: the model need not go on
    });
    const type = upstream.headers.get('content-type') ?? 'application/json';
    return new Response(upstream.body, {
      status: upstream.status,
      headers: { 'content-type': type, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
    });
  } catch (error) {
    return unavailable(`the model server does not answer (${reason(error)})`);
  }
}

function serve() {
  try {
    return Bun.serve({
      hostname,
      port,
      idleTimeout: 120,
      routes: {
        '/': { GET: () => new Response(html, { headers: PAGE_HEADERS }) },
        '/health': { GET: () => Response.json({ status: true }) },
        '/api/model': { GET: model },
        '/api/chat': { POST: chat },
        '/favicon.ico': () => new Response(null, { status: 204 }),
      },
      fetch: () => new Response('not found\n', { status: 404 }),
    });
  } catch (error) {
    process.stderr.write(`cannot listen on ${hostname}:${port}: ${reason(error)}\n`);
    process.exit(1);
  }
}

const server = serve();
say(`chat page on http://${hostname}:${server.port}, model at ${MODEL_API}`);

async function shutDown(): Promise<void> {
  // Answers on their way get three seconds; idle connections of browsers get none.
  await Promise.race([server.stop(), Bun.sleep(server.pendingRequests > 0 ? 3000 : 0)]);
  process.exit(0);
}
process.on('SIGTERM', shutDown);
process.on('SIGINT', shutDown);
