// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The small languages inside values: durations, sizes, signals, misspelt names, variables.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { interpolate } from '../../src/config/interpolate.ts';
import { didYouMean, editDistance, nearest } from '../../src/config/nearest.ts';
import { DURATION_PATTERN, formatDuration, parseDuration, parseSize, SIZE_PATTERN } from '../../src/config/quantity.ts';
import { parseSignal, whyNotForwarded } from '../../src/config/signal.ts';
import { SIGNAL_NAMES } from '../../src/linux/signals.ts';

describe('a duration', () => {
  const right: Readonly<Record<string, number>> = {
    '250ms': 250,
    '10s': 10_000,
    '15m': 900_000,
    '1h30m': 5_400_000,
    '2d': 172_800_000,
    '1.5s': 1500,
    '0.5h': 1_800_000,
    '0s': 0,
    '1d2h3m4s5ms': 93_784_005,
    '24d': 2_073_600_000,
  };
  for (const [text, value] of Object.entries(right)) {
    test(`${text} is ${value} ms`, () => {
      expect(parseDuration(text)).toEqual({ ok: true, value });
      expect(new RegExp(DURATION_PATTERN).test(text)).toBe(true);
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '10': 'write `10s` or `10ms`',
    '1.5': 'write `1.5s` or `1.5ms`',
    '10 s': 'write `10s`',
    '10S': 'write `10s`',
    '5 minutes': 'write `5m`',
    '3sec': 'write `3s`',
    '500us': 'the smallest unit is `ms`',
    '30m1h': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '-1s': 'write it like `250ms`, `10s`, `15m` or `1h30m`',
    '25d': 'the longest possible is `24d`',
  };
  for (const [text, suggestion] of Object.entries(wrong)) {
    test(`${JSON.stringify(text)} is not a duration: ${suggestion}`, () => {
      expect(parseDuration(text)).toEqual({ ok: false, suggestion });
      expect(text === '25d' || !new RegExp(DURATION_PATTERN).test(text)).toBe(true);
    });
  }

  test('is unchanged when it is printed and parsed again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000 }), (value) => {
        expect(parseDuration(formatDuration(value))).toEqual({ ok: true, value });
      }),
    );
  });
});

describe('a size', () => {
  const right: Readonly<Record<string, number>> = {
    '64KiB': 65_536,
    '20MB': 20_000_000,
    '1B': 1,
    '2kB': 2000,
    '1.5GiB': 1_610_612_736,
    '1TB': 1e12,
  };
  for (const [text, value] of Object.entries(right)) {
    test(`${text} is ${value} bytes`, () => {
      expect(parseSize(text)).toEqual({ ok: true, value });
      expect(new RegExp(SIZE_PATTERN).test(text)).toBe(true);
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '64': 'write `64B`, `64KiB` or `64MiB`',
    '64k': 'write `64KB`',
    '64 KiB': 'write `64KiB`',
    '64kib': 'write `64KiB`',
    '1g': 'write `1GB`',
    big: 'write it like `64KiB` or `20MB`',
    '1PB': 'write it like `64KiB` or `20MB`',
    '99999TiB': 'the largest possible is `8000TiB`',
  };
  for (const [text, suggestion] of Object.entries(wrong)) {
    test(`${text} is not a size: ${suggestion}`, () => {
      expect(parseSize(text)).toEqual({ ok: false, suggestion });
    });
  }
});

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

describe('did you mean', () => {
  const fields = ['command', 'depends_on', 'env', 'env_file', 'port', 'ports', 'user', 'umask'];
  const cases: Readonly<Record<string, string | null>> = {
    comand: 'command',
    dependson: 'depends_on',
    dependsOn: 'depends_on',
    'depends-on': 'depends_on',
    PORT: 'port',
    pot: 'port',
    envfile: 'env_file',
    usre: 'user',
    xyz: null,
    command_line_of_it: null,
    '': null,
  };
  for (const [word, expected] of Object.entries(cases)) {
    test(`${JSON.stringify(word)} means ${expected}`, () => expect(nearest(word, fields)).toBe(expected));
  }

  test('counts transposed neighbours as one mistake', () => {
    expect(editDistance('ab', 'ba')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
  });

  test('suggests nothing if nothing is close', () => {
    expect(didYouMean('zzz', fields)).toBeUndefined();
    expect(nearest('x'.repeat(1000), fields)).toBeNull();
  });
});

describe('interpolation', () => {
  const environment = { A: 'one', EMPTY: '', B: '$A', constructor_: 'x' };
  const right: Readonly<Record<string, string>> = {
    'x ${A} y': 'x one y',
    '${A}${A}': 'oneone',
    '${EMPTY}': '',
    '${A:-no}': 'one',
    '${EMPTY:-no}': 'no',
    '${NONE:-no}': 'no',
    '${NONE:-}': '',
    '${NONE:-${A}}': 'one',
    '${NONE:-a ${OTHER:-b} c}': 'a b c',
    '${A:?why}': 'one',
    '${A:-${NOT_NEEDED}}': 'one',
    '${A:+yes}': 'yes',
    '${A:+${A}-${EMPTY:-two}}': 'one-two',
    '${EMPTY:+${NOT_NEEDED}}': '',
    '${NONE:+yes}': '',
    '${B}': '$A',
    '$${A}': '${A}',
    '$$${A}': '$${A}',
    $: '$',
    '$A $$ $(x) $5': '$A $$ $(x) $5',
    'a } b { c': 'a } b { c',
    '${NONE:-$${x}': '${x',
  };
  for (const [text, expected] of Object.entries(right)) {
    test(`${text} becomes ${JSON.stringify(expected)}`, () => {
      expect(interpolate(text, environment)).toMatchObject({ ok: true, text: expected });
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    '${NONE}': 'NONE is not set',
    '${NONE:?no token}': 'NONE is not set: no token',
    '${EMPTY:?no token}': 'EMPTY is empty: no token',
    '${NONE:?}': 'NONE is not set',
    '${': 'this `${` is never closed',
    '${A': 'this `${` is never closed',
    '${NONE:-${A}': 'this `${` is never closed',
    '${}': 'there is no variable name after this `${`',
    '${1}': 'there is no variable name after this `${`',
    '${A-x}': '`${A-x}` is not a supported form',
    '${A+x}': '`${A+x}` is not a supported form',
    '${A:+${NONE}}': 'NONE is not set',
    '${NONE:+${A}': 'this `${` is never closed',
    '${A/x/y}': '`${A/x/y}` is not a supported form',
    '${ A }': 'there is no variable name after this `${`',
    '${__proto__}': '__proto__ is not set',
    '${constructor}': 'constructor is not set',
  };
  for (const [text, message] of Object.entries(wrong)) {
    test(`${text} is refused: ${message}`, () => {
      const result = interpolate(text, environment);
      expect(result.ok ? [] : result.problems.map((problem) => problem.message)).toEqual([message]);
    });
  }

  test('reports every invalid reference', () => {
    const result = interpolate('${X} ${A} ${Y}', environment);
    expect(result.ok ? [] : result.problems.map(({ reference }) => reference)).toEqual(['${X}', '${Y}']);
  });

  test('does not change a text without `${`', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a', ':', '-', '\\') }), (text) => {
        fc.pre(!text.includes('${'));
        expect(interpolate(text, {})).toEqual({ ok: true, text, changed: false });
      }),
    );
  });

  test('never throws, and returns what an escaped text means', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('$', '{', '}', 'A', ':', '-', '?', 'x'), maxLength: 60 }),
        (text) => {
          interpolate(text, { A: 'x' });
          // A `$` directly before an escape would be taken as part of it.
          fc.pre(!text.includes('$${'));
          expect(
            interpolate(
              text.replaceAll('${', () => '$${'),
              {},
            ),
          ).toMatchObject({ ok: true, text });
        },
      ),
    );
  });

  test('stops at endlessly nested references', () => {
    const result = interpolate('${A:-'.repeat(50_000) + '}'.repeat(50_000), {});
    expect(result.ok).toBe(false);
  });
});
