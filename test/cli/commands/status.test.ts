// `status --watch` while the supervisor is replaced: what is printed where a person or a program reads it.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../../src/cli/command.ts';
import status from '../../../src/cli/commands/status.ts';
import type { SupervisorListener } from '../../../src/control/client.ts';

/** Watches until no supervisor is there: two responses, of which the second comes from the next supervisor. */
async function watch(terminal: CommandContext['terminal']) {
  let [out, err, asked] = ['', '', 0];
  const context: Partial<CommandContext> = {
    terminal,
    colour: false,
    wall: () => 0,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    // The limits of a request never pass; the pause between two statuses does at once.
    after: (ms, act) => {
      if (ms === 1_000) queueMicrotask(act);
      return () => undefined;
    },
    dial: () => ({ ok: true, path: '/run/x.sock', remote: null, open }),
  };
  const open = async (listener: SupervisorListener) => {
    asked += 1;
    if (asked > 2) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    const text = JSON.stringify({ services: [], scale: {}, supervisor: { restarts: asked, reasons: {}, last: null } });
    const head = `HTTP/1.1 200 -\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`;
    return { write: () => listener.data(Buffer.from(head + text)), close: () => undefined };
  };
  const code = await status.run(context as CommandContext, { values: { watch: true }, positionals: [] });
  return { code, out, err };
}

test('a terminal, which is cleared each time, has it in the status; a file has a line of its own', async () => {
  const [shown, written] = [await watch({ out: 80, err: 80 }), await watch({ out: null, err: null })];
  expect([shown.code, written.code]).toEqual([69, 69]);
  for (const { out } of [shown, written]) expect(out).toContain('the supervisor was restarted twice');
  expect(shown.err).not.toContain('was restarted');
  expect(written.err).toContain('svc-super: the supervisor was restarted: the status continues\n');
});
