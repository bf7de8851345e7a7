// The quick reader of YAML: takes what is right and ordinary, and leaves all else to the thorough one. A container waits
// for it at every start, and it is 3 ms ahead. The only place that knows the library `js-yaml`, and of that the events of
// its parser alone: where each node lies, with no value made yet.
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

/** Without quotes a text is the first of these that it reads as, and else a text (YAML 1.2, 10.3.2). */
const CORE = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];
/**
 * What hardly anybody writes, and what the parser, or the thorough one, may take for something else than YAML does. Each
 * costs a start 3 ms and no more, so it may be found where it means nothing.
 */
const UNUSUAL = new RegExp(
  [
    // CR alone, and a byte order mark that is none.
    /\r(?!\n)|\ufeff/,
    // Documents and directives, `? key`, and tabs that are not told from an indentation.
    /^[ \t]+---|^\.\.\.|^[ \t]*%|^[ \t-]*\?(?:\s|$)|^ *\t/,
    // Blocks that keep their last newlines, or say how far they are indented.
    /(?:^|\s)[|>](?:-?[0-9]|\+)/,
    // Characters that there are not, and a line that goes on behind an empty one.
    /\\U|\\\r?\n[ \t]*\r?\n/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'm',
);
/** The next `:` or `-` and its blanks, over empty lines and comments. */
const INDICATOR = /\s*(?:#[^\n]*\n\s*)*[:-][ \t]*/y;
const BLANKS = /[ \t]*/y;
/** What may stand between a line's beginning, or a key, and a block. */
const BEFORE_BLOCK = /[\s:?-]*/y;
/** The longest key that YAML allows is a little longer, characters. */
const LONGEST_KEY = 1_000;

/** Reads a text of YAML 1.2: one document, a map or a list. Null: it is something else, or there may be something wrong. */
export function readQuickly(text: string): Raw | null {
  if (UNUSUAL.test(text)) return null;
  try {
    return new Reader(text, parseEvents(text, { maxDepth: MAX_DEPTH })).document();
  } catch {
    return null;
  }
}

/** Goes through the events once. They say where a node begins; where it ends, and where there is none, is found in the text. */
class Reader {
  readonly #text: string;
  readonly #events: readonly Event[];
  #next = 0;
  /** Behind what has been read. */
  #end = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  /** Throws where the thorough reader is to have a look. */
  document(): Raw {
    const [first] = this.#events;
    if (first?.type !== EVENT_ID.DOCUMENT || first.directives.length > 0) throw new Error('no document');
    this.#next = 1;
    const root = this.#node();
    if (root.kind === 'scalar') throw new Error('no collection');
    if (this.#goesOn() || this.#next < this.#events.length) throw new Error('a second document');
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
        while (this.#goesOn()) items.push(this.#node());
        return { kind: 'list', items, anchor: this.#anchor(event), start, end: this.#close(event) };
      }
      case EVENT_ID.MAPPING: {
        const { start, style } = event;
        this.#end = start;
        const pairs: [Raw, Raw][] = [];
        while (this.#goesOn())
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
    // The parser takes `- "a"  key: value` for two lines.
    if (onItsOwnLine && !/^\s*(?:&\S+\s+)?$/.test(this.#line(key.start))) throw new Error('a key behind something');
    return key;
  }

  /** What stands before a place in its line. */
  #line(at: number): string {
    return this.#text.slice(this.#text.lastIndexOf('\n', at - 1) + 1, at);
  }

  /** Whether there is more in a collection; takes its end. */
  #goesOn(): boolean {
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

  /** Behind what matches there. */
  #behind(what: RegExp, at: number): number {
    what.lastIndex = at;
    return what.test(this.#text) ? what.lastIndex : at;
  }

  /** Where the `|` or `>` of a block stands: in the line before its own. */
  #blockStart({ valueStart, anchorEnd }: ScalarEvent): number {
    const lineStart = this.#text.lastIndexOf('\n', valueStart - 2) + 1;
    return this.#behind(BEFORE_BLOCK, Math.max(this.#end, lineStart, anchorEnd));
  }

  /** The end of a collection that begins there: its bracket's, if it has one, or its last value's. */
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
