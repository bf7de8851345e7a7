// Fuzzes the native program under sanitizers: first the code that reads frames, in one process (fuzz/native/frames.c), then
// the whole program with a supervisor that sends random requests (fuzz/native/supervisor.pl). Each runs in its own PID
// namespace, so that no process outside can be signalled. `npm run fuzz -- --seconds 1200 native` takes 20 minutes.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROTOCOL } from '../../src/pid1/protocol.ts';

const HERE = join(import.meta.dir, '../native');
const NATIVE = join(import.meta.dir, '../../native');
const IN_NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
/** Duration of one run of the whole program, seconds. */
const RUN_SECONDS = 2;
/** The part of the time in which frames.c runs. */
const FRAMES_SHARE = 0.6;
const SANITIZER_EXIT = 99;
const SANITIZERS = { ASAN_OPTIONS: `detect_leaks=0:exitcode=${SANITIZER_EXIT}`, UBSAN_OPTIONS: 'print_stacktrace=1' };
const EXIT_STOPPED = 70;

export interface NativeOptions {
  readonly seconds: number;
  readonly seed: number;
  say(text: string): void;
}

/** Returns true if no fault was found. */
export async function fuzzNative({ seconds, seed, say }: NativeOptions): Promise<boolean> {
  if (Bun.which('gcc') === null) {
    say('not fuzzed: it needs gcc with its sanitizers (apt-get install gcc)');
    return process.env.CI !== 'true';
  }
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-fuzz-native-'));
  try {
    compile([join(HERE, 'compile.sh'), join(folder, 'frames')]);
    compile([join(NATIVE, 'compile.sh'), 'hosted', join(folder, 'svc-super')]);
    copyFileSync(join(HERE, 'supervisor.pl'), join(folder, 'svc-super-supervisor'));
    const framesSeconds = Math.max(1, Math.round(seconds * FRAMES_SHARE));
    if (!fuzzFrames(folder, framesSeconds, seed, say)) return false;
    return fuzzProgram(folder, seconds - framesSeconds, seed, say);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compile(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${stderr}`);
}

function fuzzFrames(folder: string, seconds: number, seed: number, say: (text: string) => void): boolean {
  const command = [...IN_NAMESPACE, join(folder, 'frames'), String(seconds), String(seed)];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { env: { ...process.env, ...SANITIZERS } });
  if (exitCode === 0) {
    say(`frames: ${stdout.toString().trim()} in ${seconds} s; seed ${seed}`);
    return true;
  }
  say(`frames: found (exit code ${exitCode}); an input is repeated by \`frames 0 SEED\`:\n${stdout}${stderr}`);
  return false;
}

/** Runs the program repeatedly. It ends in turn by REQUEST_END, by a malformed frame and by the supervisor's exit. */
function fuzzProgram(folder: string, seconds: number, seed: number, say: (text: string) => void): boolean {
  const until = performance.now() + seconds * 1_000;
  let runs = 0;
  do {
    const kind = runs % 3;
    const env = {
      ...SANITIZERS,
      PATH: '/usr/bin:/bin',
      SVC_SUPER_SOCKET: join(folder, 'control'),
      FUZZ_PROTOCOL: String(PROTOCOL),
      FUZZ_SEED: String(seed + runs),
      FUZZ_SECONDS: String(RUN_SECONDS),
      FUZZ_BROKEN: kind === 1 ? '2000' : '0',
      FUZZ_DIES: kind === 2 ? '2000' : '0',
    };
    const program = [join(folder, 'svc-super')];
    // In every second run, the program is not PID 1 of its namespace.
    const below = ['sh', '-c', '"$@"; exit $?', 'sh', ...program];
    const command = [...IN_NAMESPACE, ...(runs % 2 === 0 ? program : below)];
    // unshare ignores SIGTERM.
    const limits = { timeout: 60_000, killSignal: 'SIGKILL' } as const;
    const { exitCode, stderr } = Bun.spawnSync(command, { env, stdin: 'ignore', stdout: 'ignore', ...limits });
    runs += 1;
    const text = stderr.toString();
    // A changed request may be a REQUEST_END with any exit code.
    const isAnyCode = kind === 1 && exitCode !== null && exitCode !== SANITIZER_EXIT;
    const isExpected = exitCode === 0 || (kind === 2 && exitCode === EXIT_STOPPED) || isAnyCode;
    if (isExpected && !/AddressSanitizer|runtime error/.test(text)) continue;
    say(`program: found (exit code ${exitCode}, FUZZ_SEED ${seed + runs - 1}, kind ${kind}):\n${text}`);
    return false;
  } while (performance.now() < until);
  say(`program: ${runs} runs in ${Math.round(seconds)} s; seed ${seed}`);
  return true;
}
