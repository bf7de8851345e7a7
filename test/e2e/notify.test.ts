// Misuse of the socket of a `notify` probe: descriptors, too long messages, valid messages from the wrong user, and a service that
// sends without end.
import { describe, expect, test } from 'bun:test';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatagramSender } from '../../fuzz/datagrams.ts';
import { isRoot, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const OTHER_USER = 65_534;
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

/** Sends from two processes as fast as the socket accepts. */
const CHATTER = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); my $to = sockaddr_un("\\0" . substr($ENV{NOTIFY_SOCKET}, 1)); send($s, "READY=1", 0, $to); fork; while (1) { send($s, "STATUS=busy", 0, $to) }`;

/** Waits until PID 1 has received all messages and the supervisor has handled them: a later spawn is reported after them. */
async function read(run: Run, sender: DatagramSender): Promise<void> {
  await until('the messages to be read', () => sender.waiting === 0);
  const request = { unix: run.socket, method: 'POST', body: JSON.stringify({ argv: ['/bin/true'] }) };
  const response = await fetch('http://svc-super/v1/services/told/exec', request as RequestInit);
  await response.arrayBuffer();
  expect(response.status).toBe(200);
}

describe.skipIf(!isRoot)('a notify socket', () => {
  test('keeps no received descriptor open', async () => {
    const { run, sender } = await begin();
    await using _ = run;
    await run.status();
    const before = run.descriptors();
    const fd = openSync('/dev/null', 'r');
    for (let count = 0; count < 50; count += 1) {
      await until('room', () => sender.send(Buffer.from('FDSTORE=1\nFDNAME=x'), 0, [fd, fd, fd]));
    }
    closeSync(fd);
    await read(run, sender);
    await run.status();
    expect(run.descriptors()).toBeLessThan(before + 10);
    sender.send(Buffer.from('READY=1'), 0);
    await run.state('told', 'ready');
    sender.close();
  });

  test('ignores truncated messages, and messages of another user', async () => {
    const { run, sender } = await begin();
    await using _ = run;
    // Cut off after 8,192 bytes, its last line would be READY=1.
    const long = Buffer.from(`${'x'.repeat(8_184)}\nREADY=1234`);
    expect(long.subarray(0, 8_192).toString().endsWith('\nREADY=1')).toBe(true);
    sender.send(long, 0);
    sender.send(Buffer.from('READY=1'), OTHER_USER);
    await read(run, sender);
    expect((await run.service('told')).state).toBe('starting');
    sender.send(Buffer.from(`${'x'.repeat(8_184)}\nREADY=1`), 0);
    await run.state('told', 'ready');
    sender.close();
  });

  test('that is flooded blocks nothing', async () => {
    const chatty = { command: ['/usr/bin/perl', '-e', CHATTER], ready: { notify: true } };
    await using run = await up({ services: { chatty, calm: { command: ['/bin/sleep', '1000'] } } });
    await run.state('chatty', 'ready');
    for (let count = 0; count < 20; count += 1) expect((await run.service('calm')).state).toBe('ready');
    run.signal('SIGTERM');
    await run.ends(0);
  });
});
