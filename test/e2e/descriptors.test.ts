// Few descriptors, and connections to the control socket that would use them all: the supervisor keeps enough of them to respond,
// to find leftover processes, and to restart and stop a service.
import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { played, until, up, useRig } from '../helpers/rig.ts';

useRig();

const FILES = 64;
const CONNECTIONS = 150;

test('idle connections take no descriptor that the supervisor needs', async () => {
  const again = { restart: { policy: 'always', backoff: { initial: '20ms', max: '20ms' } }, essential: false };
  await using run = await up(
    { services: { steady: played(), restless: played(again) } },
    { before: `ulimit -n ${FILES}` },
  );
  const [steady, first] = await Promise.all([run.puppet('steady'), run.puppet('restless')]);
  await run.status();
  // Some of them follow the whole time.
  const followers = Array.from({ length: 40 }, () => connect(run.socket));
  for (const one of followers) {
    one.on('error', () => undefined);
    one.write('GET /v1/events?follow=1 HTTP/1.1\r\nHost: svc-super\r\n\r\n');
  }
  let closed = 0;
  const held = Array.from({ length: CONNECTIONS }, () => connect(run.socket));
  for (const one of held) {
    one.on('error', () => undefined);
    one.on('close', () => {
      closed += 1;
    });
  }
  await until('those too many to be cut off', () => closed > CONNECTIONS - FILES);
  for (const { outer } of [run.pid1, run.supervisor])
    expect(readdirSync(`/proc/${outer}/fd`).length).toBeLessThan(FILES - 8);
  expect((await run.status()).services.map(({ state }) => state)).toEqual(['ready', 'ready']);

  // Leftover processes of a run can be found and ended before the next one.
  await first.spawn('escaped', { daemon: true, wiped: true });
  const other = await run.puppet('escaped');
  run.kill(first.pid);
  const second = await run.puppet('restless', 2);
  expect(run.find(other.pid)).toBeUndefined();
  expect(second.pid).not.toBe(first.pid);

  run.signal('SIGTERM');
  await run.ends(0);
  for (const one of [...followers, ...held]) one.destroy();
  expect(run.lines.filter((line) => /a bug|EMFILE/.test(line))).toEqual([]);
  expect(steady.pid).toBeGreaterThan(0);
});
