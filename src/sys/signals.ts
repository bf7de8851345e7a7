// Signals by name and number, real-time ones included. Pure.

/** Loaded with the first signal, which comes after the first service. */
const numbers = () => process.getBuiltinModule('node:os').constants.signals;

/** Numbers of Linux signals by name; real-time ones as SIGRTMIN+n (glibc's SIGRTMIN is 34). */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return 34 + Number(realTime[1] ?? 0);
  return (numbers() as Record<string, number>)[name] ?? 15;
}

/** The last of a number's names is the first in the table: SIGABRT, and not SIGIOT. */
const byNumber = () =>
  new Map(
    Object.entries(numbers())
      .map(([name, number]) => [number, name] as const)
      .reverse(),
  );
let names: ReturnType<typeof byNumber> | undefined;

export function signalName(number: number): string {
  names ??= byNumber();
  return names.get(number) ?? (number >= 34 ? `SIGRTMIN+${number - 34}` : `signal ${number}`);
}
