// Signals by name and number, real-time ones included. Pure.
import { SIGNAL_NAMES } from '../signal-names.ts';

/** The first real-time signal of glibc, which calls it SIGRTMIN. */
const SIGRTMIN = 34;
const SIGTERM = 15;

/** Numbers of Linux signals by name; real-time ones as SIGRTMIN+n. One that is none of them ends as SIGTERM does. */
export function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return SIGRTMIN + Number(realTime[1] ?? 0);
  return SIGNAL_NAMES.indexOf(name.slice('SIG'.length)) + 1 || SIGTERM;
}

export function signalName(number: number): string {
  const name = SIGNAL_NAMES[number - 1];
  if (name !== undefined) return `SIG${name}`;
  return number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`;
}
