// What stands between the container's environment and the runtime, which takes its settings from there and nowhere else.
// Before the runtime's first instruction scripts/entry/entry.c puts another environment in its place. Here is what that
// holds, and how to have the container's own back, so that none of the settings reaches a child and none of the container's
// variables the runtime.

/**
 * What the runtime runs with. Threads first: a service that has used up the process limit makes the runtime's next
 * thread creation abort, and PID 1 with it, so collect garbage and compile on the one thread there is
 * (oven-sh/bun#36979). SIGPWR, which the collector would use, is moved out of the way of services and hosts. No timer
 * wakes an idle supervisor, and freed memory goes back at once.
 */
export const SETTINGS: Readonly<Record<string, string>> = {
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
  // Its thread, which comes and goes, makes pages ready ahead of need: half a MiB that an idle supervisor has no use for.
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_GC_TIMER_DISABLE: '1',
  JSC_SIGNAL_FOR_GC: '62',
  MIMALLOC_PURGE_DELAY: '0',
  // Each of two terminals that are held (XOFF) takes one, and one is left for all else; 66 KiB each.
  UV_THREADPOOL_SIZE: '3',
};

/** Says that this environment is of our making; holds the pid, for a child may inherit it by accident. */
export const SETTLED = 'SVC_SUPER_SETTLED';
/** Prefix under which a variable that must not be obeyed is kept. */
export const KEPT = 'SVC_SUPER_KEEP_';
/** How `NAME=value` begins, whatever its case, where the dynamic linker has obeyed it before entry.c can do anything about it. */
export const LINKER = ['LD_PRELOAD=', 'LD_AUDIT=', 'GLIBC_TUNABLES='];
/** The same where the runtime, an allocator or undici would obey it, or entry.c and this file take it for their own. */
export const OBEYED = [
  ...['BUN_', 'NODE_', 'JSC_', 'MIMALLOC_', 'MALLOC_', 'UV_', 'UNDICI_', 'JEST_WORKER_ID='],
  ...[`${SETTLED}=`, KEPT],
];

type Environment = Record<string, string>;

/** The container's environment again, from one that entry.c has made for the process of that number. Pure. */
export function restore(environment: Environment, pid: number): Environment {
  const isOurs =
    environment[SETTLED] === String(pid) &&
    Object.entries(SETTINGS).every(([name, value]) => environment[name] === value);
  if (!isOurs) return environment;
  const theirs = Object.entries(environment).filter(([name]) => name !== SETTLED && !Object.hasOwn(SETTINGS, name));
  // `fromEntries` makes even `__proto__` an ordinary property.
  return Object.fromEntries(
    theirs.map(([name, value]) => [name.startsWith(KEPT) ? name.slice(KEPT.length) : name, value]),
  );
}

/** Once: each look at process.env asks the runtime. */
const container = restore({ ...process.env } as Environment, process.pid);

export function containerEnvironment(): Environment {
  return container;
}
