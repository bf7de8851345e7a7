// The looks of `top`: attributes and colours as SGR sequences, and the characters of marks, bars and lines. Without colour, marks
// and attributes alone carry the meaning. Pure.

export type Style = 'good' | 'busy' | 'bad' | 'quiet' | 'strong' | 'accent' | 'inverse' | 'found' | 'plain';

/** Sequence that begins a style, and the one that ends it. */
const COLOURED: Readonly<Record<Style, readonly [string, string]>> = {
  good: ['\x1b[32m', '\x1b[39m'],
  busy: ['\x1b[33m', '\x1b[39m'],
  bad: ['\x1b[31m', '\x1b[39m'],
  quiet: ['\x1b[90m', '\x1b[39m'],
  strong: ['\x1b[1m', '\x1b[22m'],
  accent: ['\x1b[36m', '\x1b[39m'],
  inverse: ['\x1b[7m', '\x1b[27m'],
  found: ['\x1b[30;43m', '\x1b[39;49m'],
  plain: ['', ''],
};

const UNCOLOURED: Readonly<Record<Style, readonly [string, string]>> = {
  good: ['', ''],
  busy: ['', ''],
  bad: ['\x1b[1m', '\x1b[22m'],
  quiet: ['\x1b[2m', '\x1b[22m'],
  strong: ['\x1b[1m', '\x1b[22m'],
  accent: ['', ''],
  inverse: ['\x1b[7m', '\x1b[27m'],
  found: ['\x1b[7m', '\x1b[27m'],
  plain: ['', ''],
};

export interface Look {
  /** The terminal shows characters beyond ASCII. */
  readonly isUnicode: boolean;
  paint(style: Style, text: string): string;
  /** Sparkline characters, from none to full. */
  readonly bars: string;
  readonly line: string;
  readonly corners: readonly [string, string, string, string];
  readonly side: string;
  readonly branch: readonly [string, string, string];
  readonly full: string;
  readonly light: string;
  readonly pointer: string;
  mark(kind: Mark): string;
}

export type Mark = 'good' | 'done' | 'timed' | 'busy' | 'bad' | 'off';

const UNICODE = {
  bars: '▁▂▃▄▅▆▇█',
  line: '─',
  corners: ['┌', '┐', '└', '┘'],
  side: '│',
  branch: ['├─ ', '└─ ', '│  '],
  full: '█',
  light: '░',
  pointer: '▸',
  marks: { good: '●', done: '✓', timed: '◔', busy: '◐', bad: '✗', off: '○' },
} as const;

const ASCII = {
  bars: '_.-:=+*#',
  line: '-',
  corners: ['+', '+', '+', '+'],
  side: '|',
  branch: ['|- ', '`- ', '|  '],
  full: '#',
  light: '.',
  pointer: '>',
  marks: { good: '*', done: '+', timed: '@', busy: '~', bad: 'x', off: '-' },
} as const;

export function makeLook({ colour, unicode }: { readonly colour: boolean; readonly unicode: boolean }): Look {
  const sequences = colour ? COLOURED : UNCOLOURED;
  const { marks, ...characters } = unicode ? UNICODE : ASCII;
  return {
    ...characters,
    isUnicode: unicode,
    paint(style, text) {
      const [begin, end] = sequences[style];
      return text === '' || begin === '' ? text : `${begin}${text}${end}`;
    },
    mark: (kind) => marks[kind],
  };
}

/**
 * Whether the terminal shows characters beyond ASCII. A locale that is set and is not UTF-8 says no, and the console of the
 * kernel has no glyphs for bars; images often set no locale at all, and their terminals are UTF-8.
 */
export function showsUnicode(environment: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [environment.LC_ALL, environment.LC_CTYPE, environment.LANG].find((value) => (value ?? '') !== '');
  if (/^(linux|vt\d+|ansi)/.test(environment.TERM ?? '')) return false;
  return locale === undefined || /utf-?8/i.test(locale);
}
