// The appearance of `top`: styles as SGR sequences, and the characters of marks, bars and lines. Each meaning that has a
// colour has a mark too, so that nothing is shown by colour alone. Pure.

/** What a text means; a colour and attributes show it. */
export type Style = 'good' | 'busy' | 'bad' | 'quiet' | 'strong' | 'accent' | 'inverse' | 'found' | 'plain';

/** The sequence that begins a style and the one that ends it, with colours. */
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

/** The same without colours (`NO_COLOR`). */
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

/** Styles and characters for one terminal. */
export interface Look {
  /** The terminal shows characters beyond ASCII. */
  readonly isUnicode: boolean;
  /** The text with the sequences of a style. */
  paint(style: Style, text: string): string;
  /** The characters of a bar, lowest first. */
  readonly bars: string;
  readonly line: string;
  /** Top left, top right, bottom left, bottom right. */
  readonly corners: readonly [string, string, string, string];
  readonly side: string;
  /** The beginning of a row of a tree: of a child, of the last child, and of what is below a child that is not the last. */
  readonly branch: readonly [string, string, string];
  /** Bars on the critical path, and other bars. */
  readonly full: string;
  readonly light: string;
  readonly pointer: string;
  mark(kind: Mark): string;
}

/** What a state means for a service; one character shows it. */
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

/** The appearance for a terminal with these abilities. */
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
 * Whether the terminal shows characters beyond ASCII: not if a locale is set that is not UTF-8, and not on the console of the kernel,
 * whose fonts lack the characters of bars. Without a locale it does: images often set none, and terminals are UTF-8.
 */
export function showsUnicode(environment: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [environment.LC_ALL, environment.LC_CTYPE, environment.LANG].find((value) => (value ?? '') !== '');
  if (/^(linux|vt\d+|ansi)/.test(environment.TERM ?? '')) return false;
  return locale === undefined || /utf-?8/i.test(locale);
}
