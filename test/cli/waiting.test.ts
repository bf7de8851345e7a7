// A wait whose connection breaks, with no supervisor after it: what it says, and the exit code.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../src/cli/command.ts';
import { awaitServices } from '../../src/cli/waiting.ts';

const PROGRESS = { result: 'waiting', waiting: [], failed: [], failed_starts: [] };
const HEAD = 'HTTP/1.1 200 -\r\nsvc-super-api: 1\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n';

/** Waits for a service; the connection breaks after one line of progress, and nothing listens any more. */
async function waitFor(goal: 'ready' | 'stopped', where: 'unix' | 'tcp') {
  let connections = 0;
  let err = '';
  const context: Partial<CommandContext> = {
    dial: () => ({
      ok: true,
      path: 'there',
      remote: where === 'unix' ? null : { authority: 'there', prefix: '', token: null },
      open: async (listener) => {
        connections += 1;
        if (connections > 1) throw Object.assign(new Error(), { code: 'ECONNREFUSED' });
        return {
          write() {
            listener.data(Buffer.from(`${HEAD}${JSON.stringify(PROGRESS)}\n`));
            listener.closed();
          },
          close: () => undefined,
        };
      },
    }),
    // The limit for the first response is not reached; the others are over at once.
    after: (ms, fn) => {
      const timer = ms < 5_000 ? setTimeout(fn, ms / 1_000) : undefined;
      return () => clearTimeout(timer);
    },
    wall: () => 1_000_000,
    terminal: { out: null, err: null } as unknown as CommandContext['terminal'],
    err: (text) => {
      err += text;
    },
  };
  return { code: await awaitServices(context as CommandContext, ['a'], goal, null), err };
}

test('on the unix socket, a supervisor that is gone has stopped all services', async () => {
  expect(await waitFor('stopped', 'unix')).toEqual({ code: 0, err: '' });
  expect(await waitFor('ready', 'unix')).toEqual({
    code: 1,
    err: 'svc-super: the supervisor has ended before the services were ready\n',
  });
});

test('over TCP, it may be the network', async () => {
  expect(await waitFor('stopped', 'tcp')).toEqual({
    code: 69,
    err: 'svc-super: the connection broke, and no supervisor responds: it is not known whether the services have stopped\n',
  });
  expect(await waitFor('ready', 'tcp')).toEqual({
    code: 69,
    err: 'svc-super: the connection broke, and no supervisor responds: it is not known whether the services are ready\n',
  });
});
