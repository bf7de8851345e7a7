// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The names of signals, and which of them a service can be sent.
import { describe, expect, test } from 'bun:test';
import { parseSignal, whyNotForwarded } from '../../src/config/signal.ts';
import { SIGNAL_NAMES } from '../../src/linux/signals.ts';

describe('a signal', () => {
  const right: Readonly<Record<string, string>> = {
    TERM: 'SIGTERM',
    SIGTERM: 'SIGTERM',
    sigterm: 'SIGTERM',
    hup: 'SIGHUP',
    '9': 'SIGKILL',
    '1': 'SIGHUP',
    '31': 'SIGSYS',
    '34': 'SIGRTMIN+0',
    '37': 'SIGRTMIN+3',
    '64': 'SIGRTMIN+30',
    'SIGRTMIN+3': 'SIGRTMIN+3',
    rtmin: 'SIGRTMIN+0',
    'RTMAX-1': 'SIGRTMIN+29',
    POLL: 'SIGIO',
    CLD: 'SIGCHLD',
    IOT: 'SIGABRT',
  };
  for (const [text, name] of Object.entries(right)) {
    test(`${text} is ${name}`, () => expect(parseSignal(text)).toEqual({ ok: true, name }));
  }

  for (const text of ['0', '65', '32', '33', 'RTMIN+31', 'RTMAX+1', '-9', '', 'SIG', 'SIGSIGTERM', '__proto__']) {
    test(`${JSON.stringify(text)} is not a signal`, () => expect(parseSignal(text).ok).toBe(false));
  }

  test('a misspelt one suggests the closest', () => {
    expect(parseSignal('SIGTREM')).toEqual({
      ok: false,
      why: 'there is no signal `SIGTREM`',
      suggestion: 'did you mean `TERM`?',
    });
  });

  test('of the kernel has a name, except the two of the C library', () => {
    const nameless = Array.from({ length: 64 }, (_, at) => at + 1).filter((number) => !parseSignal(String(number)).ok);
    expect(nameless).toEqual([32, 33]);
    expect(SIGNAL_NAMES.length).toBe(31);
  });

  test('that stops, cannot be caught or is needed by the supervisor is not forwarded', () => {
    const forwarded = SIGNAL_NAMES.filter((name) => whyNotForwarded(`SIG${name}`) === null);
    expect(forwarded).toEqual([
      ...['HUP', 'USR1', 'USR2', 'PIPE', 'ALRM', 'STKFLT', 'CONT', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ'],
      ...['VTALRM', 'PROF', 'WINCH'],
    ]);
    expect([whyNotForwarded('SIGRTMIN+1'), whyNotForwarded('SIGRTMIN+3')]).toEqual([null, expect.any(String)]);
  });
});
