// Signals by name and number, real-time ones included. Pure.
import { constants } from 'node:os';

/** Numbers of Linux signals by name; real-time ones as SIGRTMIN+n (glibc's SIGRTMIN is 34). */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return 34 + Number(realTime[1] ?? 0);
  return (constants.signals as Record<string, number>)[name] ?? 15;
}

const NAMES = new Map(
  Object.entries(constants.signals)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);

export function signalName(number: number): string {
  return NAMES.get(number) ?? (number >= 34 ? `SIGRTMIN+${number - 34}` : `signal ${number}`);
}
