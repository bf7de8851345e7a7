// The demo's model server: the OpenAI API (/v1/models, /v1/chat/completions, streaming or not) in front of an engine
// process. It listens from its first moment and answers 503 until the engine has loaded, as llama.cpp does; when the
// engine dies under it, it ends with exit code 0, as vLLM does. It knows nothing of the model: that is responder.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { FromEngine, ToEngine } from './engine.ts';
import type { Message } from './responder.ts';

const { values: flags } = parseArgs({
  options: {
    host: { type: 'string', default: process.env.HOST ?? '127.0.0.1' },
    port: { type: 'string', default: process.env.PORT ?? '9000' },
    'served-model-name': { type: 'string', default: 'toy-eliza' },
    /** Seconds that running answers get after SIGTERM. */
    'shutdown-timeout': { type: 'string', default: '5' },
  },
});
const model = flags['served-model-name'];
const created = Math.floor(Date.now() / 1000);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

// ---- the engine ----------------------------------------------------------------------------------------------------

type Listener = (message: Exclude<FromEngine, { kind: 'ready' }>) => void;

const listeners = new Map<number, Listener>();
let state: 'loading' | 'serving' | 'draining' = 'loading';
let lastId = 0;

function startEngine(): ChildProcess {
  const engine = spawn(process.execPath, [`${import.meta.dir}/engine.ts`], {
    argv0: 'toy::EngineCore',
    detached: true, // setsid: a session and a process group of its own
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  engine.on('message', (message: FromEngine) => {
    if (message.kind === 'ready') {
      if (state === 'loading') state = 'serving';
      say(`model ${model} is loaded, serving on http://${flags.host}:${server.port}/v1`);
    } else listeners.get(message.id)?.(message);
  });
  engine.on('exit', (code, signal) => {
    if (state === 'draining') return;
    say(`engine died (${signal ?? `exit code ${code}`}), shutting down`);
    process.exit(state === 'loading' ? 1 : 0);
  });
  return engine;
}

function order(message: ToEngine): void {
  if (engine.connected) engine.send(message);
}

/** Starts one answer; calls back with each of its parts until `done`, or until `signal` cancels it. */
function generate(request: Omit<ToEngine & { kind: 'generate' }, 'kind' | 'id'>, signal: AbortSignal, on: Listener) {
  const id = ++lastId;
  const cancel = (): void => {
    if (listeners.delete(id)) order({ kind: 'cancel', id });
  };
  listeners.set(id, (message) => {
    if (message.kind === 'done') listeners.delete(id);
    on(message);
  });
  signal.addEventListener('abort', cancel);
  order({ kind: 'generate', id, ...request });
  return cancel;
}

// ---- requests ------------------------------------------------------------------------------------------------------

interface ChatRequest {
  readonly messages: readonly Message[];
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

class ApiError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
  toResponse(): Response {
    const type = this.status === 503 ? 'service_unavailable_error' : 'invalid_request_error';
    const { message, param, code, status } = this;
    return Response.json({ error: { message, type, param, code } }, { status });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A message's content is text, or parts of which only those of type `text` mean anything here. */
function parseContent(content: unknown, param: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw new ApiError(400, `${param} must be a string or a list of parts`, null, param);
  return content
    .map((part: unknown) => {
      if (isRecord(part) && part.type === 'text' && typeof part.text === 'string') return part.text;
      throw new ApiError(400, `${param}: this model takes text only`, null, param);
    })
    .join('');
}

function parseMessages(value: unknown): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new ApiError(400, 'messages must be a list of at least one message', null, 'messages');
  }
  return value.map((message: unknown, index) => {
    const param = `messages[${index}]`;
    if (!isRecord(message) || typeof message.role !== 'string') {
      throw new ApiError(400, `${param} must have a role and a content`, null, param);
    }
    return { role: message.role, content: parseContent(message.content ?? '', `${param}.content`) };
  });
}

async function parseChatRequest(request: Request): Promise<ChatRequest> {
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new ApiError(400, 'the body of the request is not valid JSON');
  }
  if (!isRecord(body)) throw new ApiError(400, 'the body of the request must be a JSON object');
  if (typeof body.model !== 'string') throw new ApiError(400, 'you must provide a model parameter', null, 'model');
  if (body.model !== model) {
    throw new ApiError(404, `The model \`${body.model}\` does not exist.`, 'model_not_found', 'model');
  }
  const limit = body.max_completion_tokens ?? body.max_tokens ?? 4096;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
    throw new ApiError(400, 'max_tokens must be an integer of at least 1', null, 'max_tokens');
  }
  if ((body.n ?? 1) !== 1) throw new ApiError(400, 'n: this model gives one answer only', null, 'n');
  const stop = body.stop ?? [];
  const options = body.stream_options;
  return {
    messages: parseMessages(body.messages),
    maxTokens: limit,
    stop: (Array.isArray(stop) ? stop : [stop]).filter((text) => typeof text === 'string' && text !== ''),
    stream: body.stream === true,
    includeUsage: isRecord(options) && options.include_usage === true,
  };
}

// ---- answers -------------------------------------------------------------------------------------------------------

function usage(done: FromEngine & { kind: 'done' }) {
  return {
    prompt_tokens: done.promptTokens,
    completion_tokens: done.completionTokens,
    total_tokens: done.promptTokens + done.completionTokens,
  };
}

function answerWhole(chat: ChatRequest, id: string, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve) => {
    let content = '';
    signal.addEventListener('abort', () => resolve(new Response(null, { status: 499 })));
    generate(chat, signal, (part) => {
      if (part.kind === 'token') content += part.text;
      else {
        const message = { role: 'assistant', content, refusal: null };
        const choice = { index: 0, message, logprobs: null, finish_reason: part.reason };
        resolve(
          Response.json({
            id,
            object: 'chat.completion',
            created: now(),
            model,
            choices: [choice],
            usage: usage(part),
          }),
        );
      }
    });
  });
}

function answerStream(chat: ChatRequest, id: string, signal: AbortSignal): Response {
  const encoder = new TextEncoder();
  const common = { id, object: 'chat.completion.chunk', created: now(), model };
  let cancel = (): void => {};
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (data: unknown): void => {
        controller.enqueue(encoder.encode(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`));
      };
      const chunk = (delta: object, finish: string | null): void =>
        send({ ...common, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
      chunk({ role: 'assistant', content: '' }, null);
      cancel = generate(chat, signal, (part) => {
        if (part.kind === 'token') return chunk({ content: part.text }, null);
        chunk({}, part.reason);
        if (chat.includeUsage) send({ ...common, choices: [], usage: usage(part) });
        send('[DONE]');
        controller.close();
      });
    },
    cancel: () => cancel(),
  });
  return new Response(stream, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } });
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

async function complete(request: Request): Promise<Response> {
  const chat = await parseChatRequest(request);
  const id = `chatcmpl-${crypto.randomUUID().replaceAll('-', '')}`;
  return chat.stream ? answerStream(chat, id, request.signal) : await answerWhole(chat, id, request.signal);
}

// ---- routes --------------------------------------------------------------------------------------------------------

function whenLoaded(answer: (request: Request) => Response | Promise<Response>) {
  return async (request: Request): Promise<Response> => {
    try {
      if (state !== 'serving') throw new ApiError(503, state === 'loading' ? 'Loading model' : 'Shutting down');
      return await answer(request);
    } catch (error) {
      if (error instanceof ApiError) return error.toResponse();
      throw error;
    }
  };
}

/** One line a request, but none for what a probe asks every few milliseconds. */
function logged(answer: (request: Request) => Promise<Response>) {
  return async (request: Request): Promise<Response> => {
    const response = await answer(request);
    say(`${request.method} ${new URL(request.url).pathname} ${response.status}`);
    return response;
  };
}

const card = { id: model, object: 'model', created, owned_by: 'svc-super demo' };
const refuse = (status: number, message: string) => () => new ApiError(status, message).toResponse();

function serve() {
  try {
    return Bun.serve({
      hostname: flags.host,
      port: Number(flags.port),
      idleTimeout: 120, // seconds; an answer that is not streamed may take a while
      routes: {
        '/health': { GET: whenLoaded(() => new Response(null)) },
        '/v1/models': { GET: whenLoaded(() => Response.json({ object: 'list', data: [card] })) },
        '/v1/chat/completions': {
          POST: logged(whenLoaded(complete)),
          GET: refuse(405, 'Only POST requests are accepted.'),
        },
      },
      fetch: logged(async () => new ApiError(404, 'There is no such path here.').toResponse()),
      error(error) {
        say(`error: ${error.message}`);
        return Response.json({ error: { message: 'internal error', type: 'server_error' } }, { status: 500 });
      },
    });
  } catch (error) {
    process.stderr.write(`cannot listen on ${flags.host}:${flags.port}: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

// ---- life ----------------------------------------------------------------------------------------------------------

/** No new requests; running answers get their time; then the engine, then this process. */
async function shutDown(): Promise<void> {
  if (state === 'draining') return;
  state = 'draining';
  const deadline = Date.now() + Number(flags['shutdown-timeout']) * 1000;
  if (listeners.size > 0) say(`finishing ${listeners.size} answer(s)`);
  const stopped = server.stop();
  while (listeners.size > 0 && Date.now() < deadline) await Bun.sleep(20);
  await Promise.race([stopped, Bun.sleep(200)]); // the last bytes of those answers
  engine.once('exit', () => process.exit(0));
  if (!engine.kill('SIGTERM')) process.exit(0);
}

const server = serve();
const engine = startEngine();
process.on('SIGTERM', shutDown);
process.on('SIGINT', shutDown);
