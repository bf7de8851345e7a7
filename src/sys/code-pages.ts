// The pages of the program's own code that a start has mapped: some 30 MiB, of which an idle supervisor needs next to none.
// They stay in the kernel's cache; what is executed again is mapped again, at 3 µs for 64 KiB. Without them `ps` shows what
// is really used, and the kernel has 1 ms less to do when the process ends.
import { readText } from './files.ts';
import { dropPages } from './libc.ts';

/** A stretch of addresses. */
interface Stretch {
  readonly start: bigint;
  readonly length: bigint;
}

/**
 * Of /proc/<pid>/maps (proc_pid_maps(5)) what of the program itself can only be read or executed, and so holds nothing but
 * what its file holds: the segment at its beginning, and the code. Pure.
 */
export function findCode(maps: string): readonly Stretch[] {
  const lines = maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) r-(.)p ([0-9a-f]+) \S+ \d+ +(\/.*)$/gm);
  const own = [...lines].filter(([, , , , , path], _, [first]) => path === first?.[5]);
  return own.flatMap(([, from, to, executes, offset]) => {
    if (executes !== 'x' && Number(`0x${offset}`) !== 0) return [];
    const start = BigInt(`0x${from}`);
    return [{ start, length: BigInt(`0x${to}`) - start }];
  });
}

/** Lets go of them. Where that is not to be had, they stay. */
export function forgetCode(): void {
  try {
    for (const { start, length } of findCode(readText('/proc/self/maps'))) dropPages(start, length);
  } catch {
    // Without /proc nobody sees them either.
  }
}
