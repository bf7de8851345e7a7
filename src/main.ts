// The program's root: parses the command line, hands over the real ports, supervises, and is the only place that ends the
// process. Everything a command does not need is loaded by the command that needs it.

import { realClock, realRandom } from './ports.ts';
import { containerEnvironment } from './sys/boot.ts';
import { realFiles } from './sys/files.ts';
import { isTerminal, writeFrom } from './sys/libc.ts';
import type { Prepared } from './up/configuration.ts';
import type { UpRequest } from './up.ts';

declare const SVC_SUPER_VERSION: string;
const version = typeof SVC_SUPER_VERSION === 'string' ? SVC_SUPER_VERSION : 'development';

const BUG = 70;
const CONFIG_WRONG = 78;
/** Of a terminal. Asking it would make its descriptor non-blocking for all who share it. */
const USUAL_COLUMNS = 80;
const SIGPIPE_CODE = 141;

/** All of it, whether or not the descriptor blocks: these are the last words of a short command. */
function print(fd: 1 | 2, text: string | Uint8Array): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeFrom(fd, rest));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN') continue;
      // Whoever read it has had enough: end as a program that SIGPIPE ends.
      if (code === 'EPIPE' && fd === 1) process.exit(SIGPIPE_CODE);
      return;
    }
  }
}

/** A folder that was removed under us has no path any more. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

/** What is to be supervised, once the configuration has been read. */
interface Supervision {
  readonly request: UpRequest;
  readonly prepared: Prepared;
}

/** Runs what the command line asks for: its exit code, or what remains to be done. */
async function run(): Promise<number | Supervision> {
  const argv = process.argv.slice(2);
  const environment = containerEnvironment();
  const err = (text: string | Uint8Array) => print(2, text);
  if (argv[0] === '__exec') {
    const { executeSpec } = await import('./sys/launch.ts');
    return executeSpec(Number(argv[1]), argv[2] === undefined ? null : Number(argv[2]));
  }
  const init = async (command: readonly string[]) => (await import('./init.ts')).init(command, environment, err);
  // At the first use: a machine without GPUs, or a configuration without `gpus`, has no need of it.
  const gpus = () => (require('./sys/gpus.ts') as typeof import('./sys/gpus.ts')).readInventory();
  const columns = Number(environment.COLUMNS) || USUAL_COLUMNS;
  const { COMMANDS, runCommand } = await import('./commands.ts');
  const [first = ''] = argv;
  const ours = first === '' || first.startsWith('-') || Object.hasOwn(COMMANDS, first);
  if (!ours && process.pid === 1) {
    const { findExecutable } = await import('./sys/launch.ts');
    if (findExecutable(first, environment) !== null) return init(argv);
  }
  const found: Supervision[] = [];
  const code = await runCommand(argv, {
    environment,
    files: realFiles,
    uid: process.getuid?.() ?? 0,
    cwd: currentFolder(),
    version,
    // Not process.stdout.isTTY: that alone would make the descriptor non-blocking for all who share it.
    get colour() {
      return isTerminal(1) && (environment.NO_COLOR ?? '') === '';
    },
    get terminal() {
      return { out: isTerminal(1) ? columns : null, err: isTerminal(2) ? columns : null };
    },
    out: (text) => print(1, text),
    err,
    save: (path, text) => process.getBuiltinModule('node:fs').writeFileSync(path, text),
    wall: () => realClock.wall(),
    after: (ms, fn) => realClock.after(ms, fn),
    up: async (file, names) => {
      const request = { file, names, environment, files: realFiles, gpus, version, err };
      const { prepare } = await import('./up/configuration.ts');
      const prepared = prepare({ ...request, path: file });
      if (prepared.ok) found.push({ request, prepared });
      else err(prepared.text);
      return prepared.ok ? 0 : CONFIG_WRONG;
    },
    gpus,
    inspect: async (plan) => {
      const [{ inspect }, { makeGpuReader }] = await Promise.all([import('./up/preflight.ts'), import('./up/gpus.ts')]);
      const [{ Children }, { portHolder }, { admitSignals }] = await Promise.all([
        import('./sys/children.ts'),
        import('./sys/listeners.ts'),
        import('./sys/libc.ts'),
      ]);
      // What is started to look at the machine is not to hold signals.
      admitSignals();
      const rooms = () => ({ clock: realClock, children: new Children(realClock, realRandom.seed()), environment });
      return inspect(plan, () => makeGpuReader(rooms()), portHolder);
    },
    init,
  });
  return found[0] ?? code;
}

/**
 * Supervises. What was loaded to come so far goes, all but `kept`, some 300 KiB: nobody needs it before a reload, which
 * loads it again. What it has left is data; an object of a class would be a stranger to the class that is loaded then.
 */
async function supervise({ request, prepared }: Supervision, kept: ReadonlySet<string>): Promise<number> {
  for (const path of Object.keys(require.cache)) if (!kept.has(path)) delete require.cache[path];
  return (await import('./up.ts')).up(request, prepared);
}

try {
  const first = new Set(Object.keys(require.cache));
  const outcome = await run();
  process.exit(typeof outcome === 'number' ? outcome : await supervise(outcome, first));
} catch (error) {
  print(2, `svc-super: a bug, please report it: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(BUG);
}
