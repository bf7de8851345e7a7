// The socket of a `notify` probe and those who misuse it: descriptors sent along, messages that are too long, the right
// words from the wrong user, and a service that never stops talking.
import { describe, expect, test } from 'bun:test';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatagramSender } from '../../fuzz/datagrams.ts';
import { isRoot, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const STRANGER = 65_534;
const command = 'echo "$NOTIFY_SOCKET" > address; exec sleep 1000';

async function begin(): Promise<{ readonly run: Run; readonly sender: DatagramSender }> {
  const run = await up({ services: { told: { command, ready: { notify: true } } } }, { leaves: ['address'] });
  const address = await until('the address', () => {
    try {
      return /^(@.*)\n/.exec(readFileSync(join(run.folder, 'address'), 'utf8'))?.[1];
    } catch {
      return undefined;
    }
  });
  return { run, sender: new DatagramSender(address) };
}

const read = (sender: DatagramSender) => until('the messages to be read', () => sender.waiting === 0);

describe.skipIf(!isRoot)('a notify socket', () => {
  test('keeps no descriptor that is sent along with a message', async () => {
    const { run, sender } = await begin();
    await using _ = run;
    await run.status();
    const open = () => readdirSync(`/proc/${run.outerPid}/fd`).length;
    const before = open();
    const fd = openSync('/dev/null', 'r');
    for (let count = 0; count < 50; count += 1) {
      await until('room', () => sender.send(Buffer.from('FDSTORE=1\nFDNAME=x'), 0, [fd, fd, fd]));
    }
    closeSync(fd);
    await read(sender);
    await run.status();
    expect(open()).toBeLessThan(before + 10);
    sender.send(Buffer.from('READY=1'), 0);
    await run.state('told', 'ready');
    sender.close();
  });

  test('takes no message that it cannot read whole, and none from a stranger', async () => {
    const { run, sender } = await begin();
    await using _ = run;
    // Cut off after 8,192 bytes, its last line would be READY=1.
    const long = Buffer.from(`${'x'.repeat(8_184)}\nREADY=1234`);
    expect(long.subarray(0, 8_192).toString().endsWith('\nREADY=1')).toBe(true);
    sender.send(long, 0);
    sender.send(Buffer.from('READY=1'), STRANGER);
    await read(sender);
    expect((await run.service('told')).state).toBe('starting');
    sender.send(Buffer.from(`${'x'.repeat(8_184)}\nREADY=1`), 0);
    await run.state('told', 'ready');
    sender.close();
  });
});
