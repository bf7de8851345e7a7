// Reads the name or number of a signal, and tells which can be forwarded to a service. Sends none.
import { RTMAX, RTMIN, SIGNAL_ALIASES, SIGNAL_NAMES, SIGNALS, signalName } from '../linux/signals.ts';
import { nearest } from './nearest.ts';

type ParsedSignal =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly why: string; readonly suggestion?: string };

/**
 * Reads a signal as kill(1) would: a name with or without `SIG` in any case, `RTMIN+n`, `RTMAX-n`, or a number from 1 to
 * 64. The result is the canonical name: `SIGTERM`, `SIGRTMIN+3`.
 */
export function parseSignal(text: string): ParsedSignal {
  const word = text.trim().toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(word)) return fromNumber(Number(word), text);
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(word);
  if (realtime !== null) {
    const offset = Number(`${realtime[2] ?? '+'}${realtime[3] ?? '0'}`);
    const number = (realtime[1] === 'MIN' ? RTMIN : RTMAX) + offset;
    if (number >= RTMIN && number <= RTMAX) return { ok: true, name: signalName(number) };
    return { ok: false, why: 'the real-time signals are SIGRTMIN+0 to SIGRTMIN+30' };
  }
  const name = Object.hasOwn(SIGNAL_ALIASES, word) ? (SIGNAL_ALIASES[word] ?? word) : word;
  if (SIGNAL_NAMES.includes(name)) return { ok: true, name: `SIG${name}` };
  const near = nearest(word, [...SIGNAL_NAMES, ...Object.keys(SIGNAL_ALIASES)]);
  const why = `there is no signal \`${text}\``;
  return near === null ? { ok: false, why } : { ok: false, why, suggestion: `did you mean \`${near}\`?` };
}

const STOPS = 'it tells svc-super to stop everything; use `stop.signal` for the stop signal of a service';
const UNCATCHABLE = 'no program can catch it';
const CRASH = 'it means a crash of the program that receives it';
const OURS = 'svc-super needs it itself';

const NOT_FORWARDED: Readonly<Record<string, string>> = {
  SIGTERM: STOPS,
  SIGINT: STOPS,
  SIGQUIT: STOPS,
  SIGKILL: UNCATCHABLE,
  SIGSTOP: UNCATCHABLE,
  SIGCHLD: OURS,
  SIGIO: OURS,
  SIGPWR: STOPS,
  'SIGRTMIN+3': STOPS,
  SIGILL: CRASH,
  SIGTRAP: CRASH,
  SIGABRT: CRASH,
  SIGBUS: CRASH,
  SIGFPE: CRASH,
  SIGSEGV: CRASH,
  SIGSYS: CRASH,
};

/** Why a signal that the supervisor receives cannot be forwarded; null if it can. Takes a canonical name. */
export function whyNotForwarded(name: string): string | null {
  return NOT_FORWARDED[name] ?? null;
}

/**
 * Why a signal cannot ask svc-super to stop: svc-super cannot catch it or uses it itself, or it means a crash; null if it can.
 * Takes a canonical name.
 */
export function whyNotStopRequest(name: string): string | null {
  const why = whyNotForwarded(name);
  return why === STOPS ? null : why;
}

function fromNumber(number: number, text: string): ParsedSignal {
  const name = SIGNALS.get(number);
  if (name !== undefined) return { ok: true, name };
  if (number >= RTMIN && number <= RTMAX) return { ok: true, name: signalName(number) };
  if (number === 32 || number === 33) return { ok: false, why: `signal ${number} belongs to the C library's threads` };
  return { ok: false, why: `\`${text}\` is not a signal number: signals have the numbers 1 to 64` };
}
