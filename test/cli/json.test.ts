// What commands print with --json: text from outside cannot steer the terminal, whatever command prints it.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../src/cli/command.ts';
import { renderJson } from '../../src/cli/json.ts';
import { operate, reload, wait } from '../../src/cli/operations.ts';

const NAME = 'a\x9b31m\u202eb';
const ESCAPED = 'a\\u009b31m\\u202eb';

/** What a command prints when the supervisor answers its questions in this order. */
async function outputOf(
  run: (context: CommandContext) => Promise<number>,
  ...answers: readonly { readonly status: number; readonly type?: string; readonly body: object }[]
): Promise<string> {
  const left = [...answers];
  let printed = '';
  const context: Partial<CommandContext> = {
    dial: () => ({
      ok: true,
      path: '/run/x.sock',
      open: (listener) =>
        Promise.resolve({
          write() {
            const { status = 500, type = 'application/json', body = {} } = left.shift() ?? {};
            const text = `${JSON.stringify(body)}\n`;
            const head = `HTTP/1.1 ${status} -\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(text)}`;
            listener.data(Buffer.from(`${head}\r\n\r\n${text}`));
          },
          close() {},
        }),
    }),
    after: () => () => undefined,
    randomName: () => 'key',
    wall: () => 0,
    terminal: { out: null, err: null },
    out: (text) => {
      printed += text;
    },
    err: () => undefined,
  };
  await run(context as CommandContext);
  return printed;
}

test('is escaped, on one line or indented', () => {
  expect(renderJson({ name: NAME })).toBe(`{"name":"${ESCAPED}"}\n`);
  expect(renderJson({ name: NAME }, 2)).toBe(`{\n  "name": "${ESCAPED}"\n}\n`);
});

const given = { values: { json: true }, positionals: ['x'] };

test('of an operation', async () => {
  const body = { operation: 'stop', services: [NAME] };
  const printed = await outputOf((context) => operate(context, 'stop', given, ''), { status: 202, body });
  expect(printed).toBe(`{"operation":"stop","services":["${ESCAPED}"]}\n`);
});

test('of a wait', async () => {
  const failed = [{ name: 'a', state: 'failed', reason: NAME, uptime_seconds: null, last_line: null }];
  const body = { result: 'failed', waiting: [], failed };
  const answer = { status: 200, type: 'application/x-ndjson', body };
  const printed = await outputOf((context) => wait(context, given, ''), answer);
  expect(printed).toContain(`"reason":"${ESCAPED}"`);
});

test('of a reload, applied or refused', async () => {
  for (const status of [200, 422]) {
    const printed = await outputOf((context) => reload(context, given), { status, body: { text: NAME } });
    expect(printed).toBe(`{"text":"${ESCAPED}"}\n`);
  }
});
