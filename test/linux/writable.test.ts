// Whether folders and log files can be used, by their modes: for our own and for another user.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyNotEntered } from '../../src/linux/reach.ts';
import { inspectLogFile, whyNotWritable } from '../../src/linux/writable.ts';

const root = mkdtempSync(join(tmpdir(), 'svc-place-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const otherUser = { uid: 65_533, groups: [65_533] };
const member = { uid: 65_533, groups: [65_533, process.getgid?.() ?? 0] };

function file(path: string, mode: number, text = '#!/bin/sh\n'): string {
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
  return join(root, path);
}
function folder(path: string, mode: number): string {
  mkdirSync(join(root, path));
  chmodSync(join(root, path), mode);
  return join(root, path);
}

beforeAll(() => {
  chmodSync(root, 0o755);
  folder('first', 0o755);
  folder('second', 0o755);
  folder('closed', 0o700);
  folder('shared', 0o770);
  folder('all', 0o777);
  file('second/tool', 0o755);
});

describe('a folder', () => {
  test('can be entered, or why not', () => {
    expect(whyNotEntered(join(root, 'closed'), null)).toBe(null);
    expect(whyNotEntered(join(root, 'closed'), otherUser)).toBe('uid 65533 may not enter it (mode 0700, owner uid 0)');
    expect(whyNotEntered(join(root, 'none'), null)).toBe('there is no such folder');
    expect(whyNotEntered('none/at/all', null)).toBe(`there is no ${process.cwd()}/none/at/all`);
    expect(whyNotEntered(join(root, 'second/tool'), null)).toBe('it is not a folder');
  });

  test('can be written to, or created in its parent', () => {
    expect(whyNotWritable(join(root, 'all'), otherUser)).toBe(null);
    expect(whyNotWritable(join(root, 'all/a/b'), otherUser)).toBe(null);
    expect(whyNotWritable(join(root, 'shared'), member)).toBe(null);
    expect(whyNotWritable(join(root, 'shared'), otherUser)).toBe('it may not be written to');
    expect(whyNotWritable(join(root, 'first/a/b'), otherUser)).toBe(`${join(root, 'first')} may not be written to`);
    expect(whyNotWritable(join(root, 'second/tool/a'), null)).toBe(`${join(root, 'second/tool')} is not a folder`);
  });
});

describe('a log file', () => {
  const why = (path: string) => {
    const { at, why } = inspectLogFile(path);
    return `${at.replace(root, '')}: ${why?.replaceAll(root, '') ?? 'fine'}`;
  };

  test('needs a writable folder', () => {
    expect(why(join(root, 'all/a/b.log'))).toBe('/all/a: fine');
    expect(why(join(root, 'second/tool'))).toBe('/second: fine');
    expect(why(join(root, 'second/tool/a.log'))).toBe('/second/tool: /second/tool is not a folder');
  });

  test('must be a regular file or a character device', () => {
    expect(Bun.spawnSync(['mkfifo', join(root, 'all/fifo')]).exitCode).toBe(0);
    expect(why(join(root, 'all/fifo'))).toBe('/all/fifo: it is a FIFO');
    expect(why(join(root, 'all'))).toBe('/all: it is a folder');
    expect(why('/dev/null')).toBe('/dev/null: fine');
  });

  test.skipIf(process.getuid?.() !== 0)(
    "is not made among the kernel's own, where even the superuser makes none",
    () => {
      expect(why('/proc/no-such/a.log')).toBe(
        '/proc/no-such: /proc belongs to the kernel (proc): no file can be created there',
      );
    },
  );
});
