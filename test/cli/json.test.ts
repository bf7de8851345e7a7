// The output of commands with --json: text from outside cannot control the terminal.
import { expect, test } from 'bun:test';
import type { Command, CommandContext } from '../../src/cli/command.ts';
import reload from '../../src/cli/commands/reload.ts';
import stop from '../../src/cli/commands/stop.ts';
import wait from '../../src/cli/commands/wait.ts';
import { renderJson } from '../../src/cli/json.ts';

const NAME = 'a\x9b31m\u202eb';
const ESCAPED = 'a\\u009b31m\\u202eb';

/** The output of a command when the supervisor sends these responses in order. */
async function outputOf(
  command: Command,
  ...answers: readonly { readonly status: number; readonly type?: string; readonly body: object }[]
): Promise<string> {
  const left = [...answers];
  let printed = '';
  const context: Partial<CommandContext> = {
    dial: () => ({
      ok: true,
      path: '/run/x.sock',
      remote: null,
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
  await command.run(context as CommandContext, { values: { json: true }, positionals: ['x'] }, {});
  return printed;
}

test('is escaped, on one line or indented', () => {
  expect(renderJson({ name: NAME })).toBe(`{"name":"${ESCAPED}"}\n`);
  expect(renderJson({ name: NAME }, 2)).toBe(`{\n  "name": "${ESCAPED}"\n}\n`);
});

test('of an operation', async () => {
  const body = { operation: 'stop', services: [NAME] };
  const printed = await outputOf(stop, { status: 202, body });
  expect(printed).toBe(`{"operation":"stop","services":["${ESCAPED}"]}\n`);
});

test('of a wait', async () => {
  const failed = [{ name: 'a', state: 'failed', reason: NAME, uptime_seconds: null, last_line: null }];
  const body = { result: 'failed', waiting: [], failed };
  const answer = { status: 200, type: 'application/x-ndjson', body };
  const printed = await outputOf(wait, answer);
  expect(printed).toContain(`"reason":"${ESCAPED}"`);
});

test('of a reload, applied or refused', async () => {
  for (const status of [200, 422]) {
    const printed = await outputOf(reload, { status, body: { text: NAME } });
    expect(printed).toBe(`{"text":"${ESCAPED}"}\n`);
  }
});
