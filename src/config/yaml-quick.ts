// The quick reader of YAML: reads valid, ordinary texts, and leaves all others to the thorough reader. It saves 1 ms of each start
// of a container with one service, 20 ms with twenty (ARCHITECTURE.md, Budget). The only file that imports `js-yaml`: its
// parser, whose events have positions, and its conversion of one scalar; the tree is made here.
import {
  boolCoreTag,
  COLLECTION_STYLE,
  EVENT_ID,
  type Event,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  type MappingEvent,
  NOT_RESOLVED,
  nullCoreTag,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import { emptyAt, MAX_DEPTH, type Raw, type RawScalar } from './raw.ts';

/** A text without quotes has the first of these types that matches it, else it is a string (YAML 1.2, 10.3.2). */
const CORE = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];
/**
 * Rare constructs that this parser, or the thorough one, may read differently than YAML defines. A false match only costs
 * time, so a pattern may match where the construct has no meaning.
 */
const UNUSUAL = new RegExp(
  [
    // CR alone, and a byte order mark inside the text.
    /\r(?!\n)|\ufeff/,
    // Documents and directives, `? key`, and tabs that look like an indentation.
    /^[ \t]+---|^\.\.\.|^[ \t]*%|^[ \t-]*\?(?:\s|$)|^ *\t/,
    // Blocks that keep their last newlines, or that state their indentation.
    /(?:^|\s)[|>](?:-?[0-9]|\+)/,
    // Code points beyond Unicode, and a line that continues after an empty one.
    /\\U|\\\r?\n[ \t]*\r?\n/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'm',
);
/** The next `:` or `-` and the blanks after it, over empty lines and comments. */
const INDICATOR = /\s*(?:#[^\n]*\n\s*)*[:-][ \t]*/y;
const BLANKS = /[ \t]*/y;
/** What may come between the beginning of a line, or a key, and a block. */
const BEFORE_BLOCK = /[\s:?-]*/y;
/** Characters; the longest key that YAML allows is a little longer. */
const LONGEST_KEY = 1_000;

/** Reads YAML 1.2 with one document, a map or a list. Null: the text is something else, or may contain an error. */
export function readQuickly(text: string): Raw | null {
  if (UNUSUAL.test(text)) return null;
  try {
    return new Reader(text, parseEvents(text, { maxDepth: MAX_DEPTH })).document();
  } catch {
    return null;
  }
}

/** Processes the events once. They contain where a node begins; its end, and missing nodes, are located in the text. */
class Reader {
  readonly #text: string;
  readonly #events: readonly Event[];
  #next = 0;
  /** Offset after the part that has been read. */
  #end = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  /** Throws if the thorough reader must read the text. */
  document(): Raw {
    const [first] = this.#events;
    if (first?.type !== EVENT_ID.DOCUMENT || first.directives.length > 0) throw new Error('no document');
    this.#next = 1;
    const root = this.#node();
    if (root.kind === 'scalar') throw new Error('no collection');
    if (this.#hasItem() || this.#next < this.#events.length) throw new Error('a second document');
    return root;
  }

  #node(): Raw {
    const event = this.#events[this.#next];
    this.#next += 1;
    if (event !== undefined && 'tagStart' in event && event.tagStart >= 0) throw new Error('a tag');
    switch (event?.type) {
      case EVENT_ID.SCALAR:
        return this.#scalar(event);
      case EVENT_ID.ALIAS: {
        const { anchorStart, anchorEnd } = event;
        this.#end = anchorEnd;
        return {
          kind: 'alias',
          name: this.#name(anchorStart, anchorEnd),
          start: anchorStart - 1,
          end: anchorEnd,
        };
      }
      case EVENT_ID.SEQUENCE: {
        const { start } = event;
        this.#end = start;
        const items: Raw[] = [];
        while (this.#hasItem()) items.push(this.#node());
        return { kind: 'list', items, anchor: this.#anchor(event), start, end: this.#close(event) };
      }
      case EVENT_ID.MAPPING: {
        const { start, style } = event;
        this.#end = start;
        const pairs: [Raw, Raw][] = [];
        while (this.#hasItem())
          pairs.push([this.#key(style === COLLECTION_STYLE.BLOCK && pairs.length > 0), this.#node()]);
        return { kind: 'map', pairs, anchor: this.#anchor(event), start, end: this.#close(event) };
      }
      default:
        return emptyAt(this.#end);
    }
  }

  #key(onItsOwnLine: boolean): Raw {
    const key = this.#node();
    if (key.kind === 'scalar' && (key.end === key.start || key.end - key.start > LONGEST_KEY))
      throw new Error('an odd key');
    // The parser reads `- "a"  key: value` as two lines.
    if (onItsOwnLine && !/^\s*(?:&\S+\s+)?$/.test(this.#line(key.start))) throw new Error('a key after another token');
    return key;
  }

  /** The text before an offset in its line. */
  #line(at: number): string {
    return this.#text.slice(this.#text.lastIndexOf('\n', at - 1) + 1, at);
  }

  /** Whether a collection has another item. If it has none, its end is consumed. */
  #hasItem(): boolean {
    const event = this.#events[this.#next];
    if (event !== undefined && event.type !== EVENT_ID.POP) return true;
    this.#next += 1;
    return false;
  }

  #anchor({ anchorStart, anchorEnd }: { readonly anchorStart: number; readonly anchorEnd: number }): string | null {
    return anchorStart < 0 ? null : this.#name(anchorStart, anchorEnd);
  }

  #name(start: number, end: number): string {
    const name = this.#text.slice(start, end);
    if (name.endsWith(':') || /[[{]/.test(this.#text.charAt(end))) throw new Error('the name ends elsewhere');
    return name;
  }

  #scalar(event: ScalarEvent): RawScalar {
    const { valueStart, valueEnd, style } = event;
    const anchor = this.#anchor(event);
    if (valueStart < 0) {
      this.#end = anchor === null ? this.#behind(INDICATOR, this.#end) : this.#behind(BLANKS, event.anchorEnd);
      return { ...emptyAt(this.#end), anchor };
    }
    const text = getScalarValue(this.#text, event);
    const plain = style === SCALAR_STYLE.PLAIN;
    const isBlock = style === SCALAR_STYLE.LITERAL_BLOCK || style === SCALAR_STYLE.FOLDED_BLOCK;
    const quote = plain || isBlock ? 0 : 1;
    const start = isBlock ? this.#blockStart(event) : valueStart - quote;
    this.#end = valueEnd + quote;
    return { kind: 'scalar', value: plain ? resolve(text) : text, text, plain, anchor, start, end: this.#end };
  }

  /** Offset after the match of a pattern at an offset. */
  #behind(what: RegExp, at: number): number {
    what.lastIndex = at;
    return what.test(this.#text) ? what.lastIndex : at;
  }

  /** The offset of the `|` or `>` of a block, which is in the line before the block. */
  #blockStart({ valueStart, anchorEnd }: ScalarEvent): number {
    const lineStart = this.#text.lastIndexOf('\n', valueStart - 2) + 1;
    return this.#behind(BEFORE_BLOCK, Math.max(this.#end, lineStart, anchorEnd));
  }

  /** The end of a collection that begins at an offset: the end of its bracket, or of its last value. */
  #close({ start, style }: SequenceEvent | MappingEvent): number {
    const bracket = style === COLLECTION_STYLE.FLOW ? { '[': ']', '{': '}' }[this.#text.charAt(start)] : undefined;
    if (bracket === undefined) return this.#end;
    for (let at = this.#end; at < this.#text.length; at += 1) {
      const char = this.#text[at];
      if (char === bracket) {
        this.#end = at + 1;
        break;
      }
      if (char === '#') at = (this.#text.indexOf('\n', at) + 1 || this.#text.length) - 1;
    }
    return this.#end;
  }
}

function resolve(text: string): string | number | boolean | null {
  const first = text.charAt(0);
  for (const tag of CORE) {
    if (tag.implicitFirstChars?.includes(first) === false) continue;
    const value = tag.resolve(text, false, tag.tagName);
    if (value !== NOT_RESOLVED) return value;
  }
  if (Math.abs(Number(text)) === Number.POSITIVE_INFINITY) throw new Error('a number that is too large');
  return text;
}
