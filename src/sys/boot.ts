// The first line of the program: a supervising process re-executes itself once with the settings that make the runtime
// fit for PID 1. The pid stays. What the first stage has read it may hand to the second, which then need not load what
// reads it. Also knows how to give the container's own environment back, so that none of the settings reaches a child and
// none of the container's variables reaches the runtime.

/**
 * Settings of the second stage. Threads first: a service that has used up the process limit makes the runtime's next
 * thread creation abort, and PID 1 with it, so collect garbage and compile on the one thread there is
 * (oven-sh/bun#36979). SIGPWR, which the collector would use, is moved out of the way of services and hosts. No timer
 * wakes an idle supervisor, and freed memory goes back at once (9 MB of its own and one wake-up in 30 s when idle).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_useConcurrentGC: '0',
  BUN_JSC_useConcurrentJIT: '0',
  // WebAssembly is interpreted: its compilers have a thread of their own, which comes and goes.
  BUN_JSC_useBBQJIT: '0',
  BUN_JSC_useOMGJIT: '0',
  // Compiling happens on the one thread too: what runs for a few milliseconds, while the configuration is read, is not
  // worth it. What is hot for longer than that is compiled as ever.
  BUN_JSC_thresholdForJITAfterWarmUp: '20000',
  BUN_JSC_thresholdForJITSoon: '20000',
  // With it the runtime would put its handler of faults back (libc.ts takes it off).
  BUN_JSC_useWasmFaultSignalHandler: '0',
  // By the machine's memory the collector would let the garbage of 500 busy services grow to 700 MB; to 300 by this.
  BUN_JSC_forceRAMSize: `${128 * 1024 * 1024}`,
  BUN_GC_TIMER_DISABLE: '1',
  JSC_SIGNAL_FOR_GC: '62',
  MIMALLOC_PURGE_DELAY: '0',
  UV_THREADPOOL_SIZE: '4',
};

/**
 * Holds the pid, so that a child that inherits it by accident does not take itself for booted; behind a colon the
 * descriptor of what the first stage hands over, if anything.
 */
const STAGE = 'SVC_SUPER_STAGE';
/** Prefix under which a variable that the runtime would obey crosses the re-execution. */
const KEPT = 'SVC_SUPER_KEEP_';
/** What the runtime, its allocator, the dynamic linker or undici obeys, and what this file itself would take for its own. */
const OBEYED =
  /^(?:BUN_|NODE_|JSC_|MIMALLOC_|UV_|MALLOC_|UNDICI_|JEST_WORKER_ID$|LD_PRELOAD$|LD_AUDIT$|GLIBC_TUNABLES$|SVC_SUPER_(?:KEEP_|STAGE$))/;

/** Commands that end soon and supervise nothing: they have no second stage. */
const SHORT = new Set([
  'status',
  'health',
  'check',
  'schema',
  'version',
  'help',
  '-h',
  '--help',
  '-V',
  '--version',
  '__exec',
]);
/** Commands that may run for long and read nothing first: their second stage begins at once. All others are `up`. */
const AT_ONCE = new Set([
  'init',
  'logs',
  'start',
  'stop',
  'restart',
  'reload',
  'signal',
  'exec',
  'wait',
  'events',
  'timeline',
  'graph',
  'completion',
]);

type Environment = Record<string, string>;

/** The environment of the second stage; `handed` is the descriptor of what it is handed. Pure. */
export function toStage(environment: Environment, pid: number, handed: number | null = null): Environment {
  const renamed = Object.entries(environment).map(([name, value]) => [OBEYED.test(name) ? KEPT + name : name, value]);
  // `fromEntries` makes even `__proto__` an ordinary property.
  return { ...Object.fromEntries(renamed), ...SETTINGS, [STAGE]: handed === null ? `${pid}` : `${pid}:${handed}` };
}

/** The container's environment again, from that of the second stage. Pure. */
export function fromStage(environment: Environment): Environment {
  const theirs = Object.entries(environment).filter(([name]) => name !== STAGE && !Object.hasOwn(SETTINGS, name));
  return Object.fromEntries(
    theirs.map(([name, value]) => [name.startsWith(KEPT) ? name.slice(KEPT.length) : name, value]),
  );
}

/** What a helper process of ours runs with: the settings and nothing of the container. */
export function helperEnvironment(): Environment {
  return { ...SETTINGS };
}

/** Whether the process of that number runs with the settings; the word of STAGE alone may be the container's. Pure. */
function isBooted(environment: Environment, pid: number): boolean {
  return (
    environment[STAGE]?.split(':', 1)[0] === String(pid) &&
    Object.entries(SETTINGS).every(([name, value]) => environment[name] === value)
  );
}

/** Taken before the lines below change anything, and once: each look at process.env asks the runtime. */
const found = { ...process.env } as Environment;
const booted = isBooted(found, process.pid);
const original = booted ? fromStage(found) : found;

/** The container's environment, whichever stage this is. */
export function containerEnvironment(): Environment {
  return original;
}

/** What the first stage has handed over, once; null where it has handed over nothing, or this is it. */
export async function takeHandover(): Promise<string | null> {
  const [, descriptor] = booted ? (found[STAGE] ?? '').split(':') : [];
  if (descriptor === undefined) return null;
  const { readMemoryFile } = await import('./memory-file.ts');
  return readMemoryFile(Number(descriptor));
}

/** Only the compiled file can execute itself; under a development runtime the settings are left out. */
const isFirstStage = Bun.main.startsWith('/$bunfs/') && !booted;

/** PID 1 that is asked to stop in its first stage, where nothing has been started. */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
const stop = () => process.exit(0);

/**
 * Executes the program again with these arguments and the settings; `handover` makes what the second stage takes over.
 * Returns in the second stage, and where there can be none.
 */
export async function enterSecondStage(args: readonly string[], handover: (() => string) | null = null): Promise<void> {
  if (!isFirstStage) return;
  const argv = [process.argv0, ...args];
  try {
    if (process.pid === 1 || handover !== null) {
      const { execve, holdSignals } = await import('./libc.ts');
      const handed = handover === null ? null : await write(handover());
      if (process.pid === 1) holdSignals();
      // What came before they were held is told on the next turn.
      if (handover !== null) await nextTurn();
      // The runtime's own execve would empty the mask first, and what comes in the next milliseconds would be lost.
      execve(process.execPath, argv, toStage(original, process.pid, handed));
    }
  } catch {
    // BUN_JSC_useJIT=0 in the container's environment leaves this stage without FFI.
  }
  try {
    process.execve?.(process.execPath, argv, toStage(original, process.pid));
  } catch {
    // Where the file cannot be executed again (unlinked, noexec remount), the first stage does the work.
  }
  for (const signal of STOPPING) process.off(signal, stop);
}

/** Where there is no file in memory, the second stage reads the configuration for itself. */
async function write(text: string): Promise<number | null> {
  const { writeMemoryFile } = await import('./memory-file.ts');
  try {
    return writeMemoryFile(text);
  } catch {
    return null;
  }
}

async function nextTurn(): Promise<void> {
  const { realClock } = await import('../ports.ts');
  await new Promise<void>((resolve) => void realClock.soon(resolve));
}

const [, , command = ''] = process.argv;
if (isFirstStage) {
  if (AT_ONCE.has(command)) await enterSecondStage(process.argv.slice(2));
  else if (process.pid === 1 && !SHORT.has(command)) for (const signal of STOPPING) process.on(signal, stop);
  // What is loaded from here on reads some of them (NODE_DEBUG) when it is loaded.
  for (const name of Object.keys(original)) if (OBEYED.test(name)) delete process.env[name];
}
