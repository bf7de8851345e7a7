// The build for x64 on a processor without AVX2 (Nehalem, of 2008) in an emulator: the smoke suite of the platforms, and proof
// that this processor refuses AVX2. Services run without the emulator. Needs root; `npm run test:release` runs it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { BIN, stage } from '../../scripts/release/stage.ts';
import { must, run } from '../helpers/container-tools.ts';
import { noPrograms, noRoot, noX64, skipWhen } from '../helpers/skip.ts';
import { type Place, smoke } from './smoke.ts';

const platform = findPlatform('linux-x64');
const EMULATOR = ['qemu-x86_64', '-cpu', 'Nehalem'];
const AVX2 = 'int main(void) { __asm__ volatile("vpaddd %ymm0, %ymm1, %ymm2"); return 0; }\n';
const SIGILL = 128 + 4;

const isSkipped = skipWhen([noX64, noRoot, ...noPrograms('qemu-x86_64', 'gcc')], 'the tests of an old processor');

describe.skipIf(isSkipped)('linux-x64 without AVX2', () => {
  let folder: string;
  let place: Place;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'svc-super-old-'));
    await stage(platform, join(folder, 'stage'));
    const built = join(folder, 'stage', BIN);
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    copyFileSync(join(built, 'svc-super'), join(bin, 'svc-super'));
    // The kernel would execute the supervisor on the real processor: a script of its name runs the emulator.
    const supervisor = join(bin, 'svc-super-supervisor');
    writeFileSync(supervisor, `#!/bin/sh\nexec ${EMULATOR.join(' ')} ${built}/svc-super-supervisor "$@"\n`);
    chmodSync(supervisor, 0o755);
    const program = [...EMULATOR, join(bin, 'svc-super')];
    place = {
      platform,
      folder: { outside: folder, inside: folder },
      pid1: ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...program],
      command: program.join(' '),
    };
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('an instruction of AVX2 is illegal on this processor', async () => {
    const program = join(folder, 'avx2');
    writeFileSync(`${program}.c`, AVX2);
    await must(['gcc', '-O0', '-o', program, `${program}.c`]);
    // `sh` turns the signal into an exit code.
    const { code } = await run(['sh', '-c', '"$@"; exit $?', 'sh', ...EMULATOR, program]);
    expect(code).toBe(SIGILL);
  });

  smoke(() => place);
});
