// The engine process of the demo's model server: loads (a timer in the place of gigabytes) and makes tokens.
// It stands for what vLLM calls EngineCore: the process that holds the GPU, renamed, and in a session of its own. Like
// that one it does NOT end when the server in front of it is killed: the supervisor cleans it up.

import { writeFileSync } from 'node:fs';
import { type Message, respond, tokenize } from './responder.ts';

export type ToEngine =
  | {
      readonly kind: 'generate';
      readonly id: number;
      readonly messages: readonly Message[];
      readonly maxTokens: number;
      readonly stop: readonly string[];
    }
  | { readonly kind: 'cancel'; readonly id: number };

export type FromEngine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'token'; readonly id: number; readonly text: string }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly reason: 'stop' | 'length';
      readonly promptTokens: number;
      readonly completionTokens: number;
    };

const SHARDS = 8;
const loadSeconds = Number(process.env.LOAD_SECONDS ?? 6);
const tokensPerSecond = Number(process.env.TOKENS_PER_SECOND ?? 30);
const cancelled = new Set<number>();

function tell(message: FromEngine): void {
  if (process.connected) process.send?.(message);
}

async function load(): Promise<void> {
  for (let shard = 1; shard <= SHARDS; shard++) {
    await Bun.sleep((loadSeconds * 1000) / SHARDS);
    process.stdout.write(`Loading safetensors checkpoint shards: ${shard}/${SHARDS}\n`);
  }
}

/** Up to the first of the stop sequences, as the API has it. */
function cutAt(text: string, stops: readonly string[]): string {
  const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return ends.length > 0 ? text.slice(0, Math.min(...ends)) : text;
}

async function generate(request: ToEngine & { kind: 'generate' }): Promise<void> {
  const { id, messages, maxTokens } = request;
  const promptTokens = messages.reduce((sum, message) => sum + tokenize(message.content).length, 0);
  const tokens = tokenize(cutAt(respond(messages), request.stop));
  let completionTokens = 0;
  for (const text of tokens.slice(0, maxTokens)) {
    await Bun.sleep(1000 / tokensPerSecond);
    if (cancelled.delete(id)) return;
    completionTokens++;
    tell({ kind: 'token', id, text });
  }
  tell({ kind: 'done', id, reason: tokens.length > maxTokens ? 'length' : 'stop', promptTokens, completionTokens });
}

if (import.meta.main) {
  // The name that ps, top and the supervisor's messages show; at most 15 bytes.
  writeFileSync('/proc/self/comm', 'toy::EngineCore');
  process.on('SIGTERM', () => process.exit(0));
  process.on('message', (message: ToEngine) => {
    if (message.kind === 'cancel') cancelled.add(message.id);
    else void generate(message);
  });
  // Keeps the process alive after the server is gone, as a CUDA context would.
  setInterval(() => {}, 60_000);
  await load();
  tell({ kind: 'ready' });
}
