// `top` with a fake terminal: what it writes when it ends.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../../src/cli/command.ts';
import { runTop } from '../../../src/cli/top/run.ts';
import { type FullScreenTerminal, MOUSE, RESTORE, type TerminalListener } from '../../../src/cli/top/terminal.ts';
import type { SupervisorListener } from '../../../src/control/client.ts';
import { NOON, statusOf } from '../../helpers/top.ts';

test('a signal while it is suspended ends it, and nothing is written after the terminal is restored', async () => {
  const text = JSON.stringify(statusOf([]));
  const open = async (listener: SupervisorListener) => ({
    write: () =>
      listener.data(
        Buffer.from(
          `HTTP/1.1 200 -\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
        ),
      ),
    close: () => undefined,
  });
  const context: Partial<CommandContext> = {
    environment: {},
    colour: false,
    wall: () => NOON,
    after: () => () => undefined,
    dial: () => ({ ok: true, path: '/run/x.sock', remote: null, open }),
  };
  const written: string[] = [];
  const continued = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<TerminalListener>();
  const terminal: Partial<FullScreenTerminal> = {
    now: () => 0,
    isBusy: false,
    output: { columns: 80, rows: 24, write: (one: string) => written.push(one) } as never,
    listen: (listener) => listening.resolve(listener),
    suspend: () => continued.promise,
    close: async (one) => void written.push(one),
  };
  const ended = runTop(context as CommandContext, terminal as FullScreenTerminal);
  const listener = await listening.promise;
  listener.input('\x1a');
  listener.ended(143);
  expect(await ended).toBe(143);
  continued.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toEqual([MOUSE.on, RESTORE]);
});
