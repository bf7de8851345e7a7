// The connection to PID 1 on Bun: nothing is written after it was closed.
import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openConnection } from '../../src/platform/socket.ts';

test('bytes after the close go to no other file that has the number of the descriptor', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-socket-'));
  const [pipe, file] = [join(folder, 'pipe'), join(folder, 'file')];
  spawnSync('mkfifo', [pipe]);
  const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const connection = await openConnection(fd, { data: () => undefined, closed: () => undefined });
  connection.close();
  // The lowest free number: open(2).
  const other = openSync(file, 'w');
  expect(other).toBe(fd);
  connection.write(Buffer.from('for PID 1'));
  expect(readFileSync(file, 'utf8')).toBe('');
  closeSync(other);
  rmSync(folder, { recursive: true });
});
