// Makes code.ts of entry.c, for both architectures: `bun scripts/entry/compile.ts`, with Debian's gcc and
// gcc-aarch64-linux-gnu. Not part of the build, which needs no compiler; only who changes entry.c runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfSources } from './sources.ts';

const COMPILERS = {
  x64: { prefix: 'x86_64-linux-gnu-', flags: ['-fcf-protection=none'] },
  // Addresses by `adr` alone: `adrp` would depend on where in its page the code comes to lie.
  arm64: { prefix: 'aarch64-linux-gnu-', flags: ['-mcmodel=tiny'] },
} as const;

/** Without a library, without what a compiler adds by itself, and wherever it comes to lie. */
const FLAGS = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-fpie', '-static', '-nostdlib', '-ffreestanding'],
  ...['-fno-builtin', '-fno-tree-loop-distribute-patterns', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'],
  ...['-Wl,--build-id=none', '-Wl,--entry=start'],
];

function run(cmd: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync({ cmd: [...cmd], stdio: ['ignore', 'inherit', 'pipe'] });
  if (exitCode !== 0) throw new Error(`${cmd[0]} ended with ${exitCode}: ${stderr}`);
}

function compile({ prefix, flags }: (typeof COMPILERS)['x64' | 'arm64']): string {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-entry-'));
  try {
    const [linked, flat] = [join(folder, 'linked'), join(folder, 'flat')];
    const script = `-Wl,--script=${join(import.meta.dir, 'entry.ld')}`;
    run([`${prefix}gcc`, ...FLAGS, ...flags, script, join(import.meta.dir, 'entry.c'), '-o', linked]);
    run([`${prefix}objcopy`, '-O', 'binary', linked, flat]);
    return readFileSync(flat).toString('base64');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const line = (name: string, value: string) => `  ${name}:\n    '${value}',\n`;
writeFileSync(
  join(import.meta.dir, 'code.ts'),
  `// Written by compile.ts: what entry.c becomes, for each architecture, in base64.

/** What sources.ts says of that of which this was made. */
export const SOURCES = '${digestOfSources()}';

export const CODE: Readonly<Record<string, string>> = {
${line('x64', compile(COMPILERS.x64))}${line('arm64', compile(COMPILERS.arm64))}};
`,
);
