// The kinds of descriptors: real files, pipes and terminals. Sockets are in output.test.ts.
import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectDescriptor } from '../../src/platform/descriptors.ts';

const unasked = () => {
  throw new Error('asked whether it is a terminal');
};

test('pipes, files and /dev/null have a kind without isatty(), and one file has one identity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-descriptors-'));
  const fifo = join(folder, 'fifo');
  spawnSync('mkfifo', [fifo]);
  const pipe = openSync(fifo, constants.O_RDWR);
  const [file, same] = [openSync(import.meta.path, 'r'), openSync(import.meta.path, 'r')];
  const none = openSync('/dev/null', 'w');
  try {
    expect([pipe, file, none].map((fd) => inspectDescriptor(fd, unasked).kind)).toEqual(['pipe', 'other', 'other']);
    expect(inspectDescriptor(file).identity).toBe(inspectDescriptor(same).identity);
    expect(new Set([pipe, file, none].map((fd) => inspectDescriptor(fd).identity)).size).toBe(3);
  } finally {
    for (const fd of [pipe, file, same, none]) closeSync(fd);
    rmSync(folder, { recursive: true });
  }
  expect(() => inspectDescriptor(pipe)).toThrow('EBADF');
});

test('a terminal is recognized, and two of its descriptors have one identity', () => {
  const script = `
    import { inspectDescriptor } from '${join(import.meta.dir, '../../src/platform/descriptors.ts')}';
    process.stdout.write(inspectDescriptor(1).kind + (inspectDescriptor(1).identity === inspectDescriptor(2).identity));`;
  const command = `${process.execPath} -e "${script.replaceAll('\n', ' ')}"`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
  expect(stdout.toString()).toBe('terminaltrue');
});
