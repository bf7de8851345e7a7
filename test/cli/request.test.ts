// Commands and a supervisor that refuses a request, or breaks off: what they print, and the exit code.
import { expect, test } from 'bun:test';
import type { Command, CommandContext, GivenFlags } from '../../src/cli/command.ts';
import graph from '../../src/cli/commands/graph.ts';
import health from '../../src/cli/commands/health.ts';
import logs from '../../src/cli/commands/logs.ts';
import scale from '../../src/cli/commands/scale.ts';
import signal from '../../src/cli/commands/signal.ts';
import status from '../../src/cli/commands/status.ts';
import timeline from '../../src/cli/commands/timeline.ts';

interface Answer {
  readonly status?: number;
  /** One body, or the lines of a stream. */
  readonly body: object | readonly object[];
  /** The connection breaks before the end of the stream. */
  readonly breaks?: true;
}

function responseOf({ status: code = 200, body, breaks }: Answer): string {
  const lines = Array.isArray(body) ? body : null;
  if (lines === null) {
    const text = JSON.stringify(body);
    return `HTTP/1.1 ${code} -\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  }
  const chunks = lines
    .map((line) => `${JSON.stringify(line)}\n`)
    .map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
  const head = 'HTTP/1.1 200 -\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
  return `${head}${chunks.join('')}${breaks === true ? '' : '0\r\n\r\n'}`;
}

/** Runs a command against a supervisor that sends these responses in order. */
async function run(
  command: Command,
  given: GivenFlags,
  answers: readonly Answer[],
  save: CommandContext['save'] = () => undefined,
) {
  const left = [...answers];
  const printed = { out: '', err: '', requests: [] as string[] };
  const context: Partial<CommandContext> = {
    cwd: '/w',
    colour: false,
    dial: () => ({
      ok: true,
      path: '/run/x.sock',
      remote: null,
      open: async (listener) => ({
        write(bytes) {
          printed.requests.push(/^\S+ (\S+)/.exec(Buffer.from(bytes).toString())?.[1] ?? '');
          const answer = left.shift() ?? { body: [] };
          listener.data(Buffer.from(responseOf(answer)));
          if (answer.breaks === true) listener.closed();
        },
        close: () => undefined,
      }),
    }),
    // Pauses before another attempt end at once; limits of time do not.
    after: (ms, fn) => {
      if (ms < 1_000) setImmediate(fn);
      return () => undefined;
    },
    randomName: () => 'key',
    wall: () => 1_000_000,
    terminal: { out: null, err: null } as unknown as CommandContext['terminal'],
    save,
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
  };
  const code = await command.run(context as CommandContext, given, {} as never);
  return { code, ...printed };
}

test.each([
  ['status', status, [], 1],
  ['graph', graph, [], 1],
  ['timeline', timeline, [], 1],
  ['signal', signal, ['HUP', 'web'], 1],
  ['health', health, [], 1],
] as const)('`%s` prints why the supervisor cannot respond', async (_, command, positionals, code) => {
  const answer = { status: 500, body: { error: 'a bug in svc-super' } };
  expect(await run(command as Command, { values: {}, positionals }, [answer])).toMatchObject({
    code,
    out: '',
    err: 'svc-super: a bug in svc-super\n',
  });
});

test('`health` says why a supervisor whose services are all ready is not healthy', async () => {
  const answer = { status: 503, body: { healthy: false, waiting: [] } };
  expect(await run(health, { values: {}, positionals: [] }, [answer])).toMatchObject({
    code: 1,
    out: 'everything is being stopped\n',
  });
});

test('`scale --wait` whose status is refused does not say that the removed replicas have stopped', async () => {
  const difference = { added: [], idle: [], removed: ['web.1'], changed: [], unchanged: [], scale: [] };
  const asked = { status: 200, body: { applied: true, ...difference } };
  const refused = { status: 500, body: { error: 'a bug in svc-super' } };
  const status = { status: 200, body: { services: [] } };
  const given = { values: { wait: true }, positionals: ['web=1'] };
  for (const answers of [
    [asked, refused],
    [asked, status, refused],
  ]) {
    const { code, out, err } = await run(scale, given, answers);
    expect([code, err]).toEqual([1, 'svc-super: a bug in svc-super\n']);
    expect(out).not.toContain('stopped');
  }
});

test('`timeline --svg` writes beside the caller, and says why it cannot', async () => {
  const body = { name: 'x', elapsed_ms: 1, ready_ms: 1, services: [] };
  const saved: string[] = [];
  const given = { values: { svg: 'a.svg' }, positionals: [] };
  expect((await run(timeline, given, [{ body }], (path) => void saved.push(path))).code).toBe(0);
  expect(saved).toEqual(['/w/a.svg']);
  const failing = () => {
    throw new Error('no space left on device');
  };
  expect(await run(timeline, given, [{ body }], failing)).toMatchObject({
    code: 1,
    err: 'svc-super: cannot write a.svg: no space left on device\n',
  });
});

test('`logs -n N` that breaks off asks for N lines again, and prints no line twice', async () => {
  const line = (service: string, second: number) => ({
    time: `2026-01-02T03:04:0${second}.000Z`,
    service,
    stream: 'stdout',
    text: `${service}${second}`,
  });
  const answers = [
    { body: [line('a', 1)], breaks: true },
    { body: [line('a', 1), line('b', 1), line('a', 2)] },
  ] as const;
  const { out, requests, code } = await run(logs, { values: { lines: '2' }, positionals: [] }, answers);
  expect([code, out]).toEqual([0, 'a | a1\nb | b1\na | a2\n']);
  expect(requests).toEqual(['/v1/logs?lines=2', '/v1/logs?lines=2']);
});
