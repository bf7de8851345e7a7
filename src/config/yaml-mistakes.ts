// Explains the syntax errors of YAML: which character is wrong, why, and what to write instead. Works on the lexemes and
// the error list of the parser; loads no parser itself.
import type { Reading } from './reading.ts';
import type { Span } from './tree.ts';
import {
  type Explanation,
  explainBehindBlock,
  explainColumn,
  explainContinuation,
  explainNoColon,
  explainTooDeep,
} from './yaml-layout.ts';

/** An error of the parser. */
interface SyntaxError {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

/** A quoted text, a bracket or a tag, as the lexer found it. `depth` counts the brackets that are open around it. */
interface Mark extends Span {
  readonly kind: 'quoted' | 'open' | 'close' | 'tag';
  readonly depth: number;
}

const SCALAR_FOLLOWS = '\x1f';
const LONGEST_ADVICE = 120;

/** Collects the lexemes that explain errors. */
export class Marks {
  readonly #marks: Mark[] = [];
  #depth = 0;
  #isScalar = false;

  /** Takes the next lexeme, which begins at `start`. */
  add(lexeme: string, start: number): void {
    const wasScalar = this.#isScalar;
    this.#isScalar = lexeme === SCALAR_FOLLOWS;
    const first = lexeme.charAt(0);
    const add = (kind: Mark['kind']) =>
      this.#marks.push({ kind, start, end: start + lexeme.length, depth: this.#depth });
    // The text of a plain value or of a block; it may begin with any character.
    if (wasScalar) return;
    if (first === '"' || first === "'") add('quoted');
    else if (first === '!') add('tag');
    else if (lexeme === '[' || lexeme === '{') {
      add('open');
      this.#depth += 1;
    } else if (lexeme === ']' || lexeme === '}') {
      this.#depth = Math.max(0, this.#depth - 1);
      add('close');
    }
  }

  tags(): readonly Mark[] {
    return this.#marks.filter(({ kind }) => kind === 'tag');
  }

  /** The last quoted text that begins before `at`. */
  quotedBefore(at: number): Mark | undefined {
    return this.#marks.findLast(({ kind, start }) => kind === 'quoted' && start < at);
  }

  /** How many brackets are open at `at`. */
  depthAt(at: number): number {
    return this.#openAt(at).length;
  }

  /** The innermost bracket that is open at `at`. */
  openedBefore(at: number): Mark | undefined {
    return this.#openAt(at).at(-1);
  }

  #openAt(at: number): Mark[] {
    const open: Mark[] = [];
    for (const mark of this.#marks) {
      if (mark.start >= at) break;
      if (mark.kind === 'open') open.push(mark);
      else if (mark.kind === 'close') open.pop();
    }
    return open;
  }
}

/** Reports the first `most` tags that are not allowed. The parser would remove the `!` of a command without an error. */
export function reportTags(
  marks: Marks,
  text: string,
  most: number,
  reading: Reading,
  allowed: readonly string[],
): void {
  const refused = marks.tags().filter(({ start, end }) => !allowed.includes(text.slice(start, end)));
  for (const { start, end, depth } of refused.slice(0, most)) {
    const tag = text.slice(start, Math.min(end, start + 40));
    const whole = quoteFrom(text, start, depth > 0);
    const rest = text.slice(end, start + (whole?.length ?? 0)).trimStart();
    // Only in a plain text can the `!` be meant as a part of the text.
    const isText = whole !== null && rest !== '' && !/^(?:["'[{|>&*#]|-\s)/.test(rest) && !/:(?:\s|$)/.test(whole);
    reading.report(
      { start, end: Math.max(end, start + 1) },
      'unsupported-tag',
      `\`${tag}\` is a YAML tag, and tags are not supported`,
      {
        suggestion: isText
          ? `write \`${quoted(whole)}\` if the \`!\` is part of the text; remove it otherwise`
          : 'remove the tag: the schema defines the type of each value',
      },
    );
  }
}

/**
 * Reports one error of the parser, and what to write instead. Returns the offset up to which further errors are only consequences of
 * it.
 */
export function reportSyntax(error: SyntaxError, marks: Marks, text: string, reading: Reading): number {
  const [start, end] = error.pos;
  const found = explain(error, marks, text);
  const { message, related, suggestion } = found;
  const span = found.span ?? { start, end: Math.max(start + 1, Math.min(end, start + 200)) };
  reading.report(span, 'yaml-syntax', `YAML: ${message.slice(0, 300)}`, {
    suggestion: adviseReference(start, text, marks) ?? suggestion ?? ADVICE[error.code],
    ...(related === undefined ? {} : { related }),
  });
  return found.until ?? 0;
}

function explain(error: SyntaxError, marks: Marks, text: string): Explanation {
  const { code, message, pos } = error;
  const [at] = pos;
  if (/^Missing closing ["']quote$/.test(message)) return explainUnclosedQuote(at, marks, text);
  if (/^Flow (?:sequence|map) in block collection must be/.test(message) || /must end with a [\]}]$/.test(message))
    return explainUnclosedBracket(at, marks, text) ?? { message: lowerFirst(message) };
  if (/^Unexpected flow-(?:seq|map)-end token/.test(message)) {
    const bracket = message.includes('-seq-') ? ']' : '}';
    return {
      message: `there is no \`${bracket === ']' ? '[' : '{'}\` for this \`${bracket}\``,
      suggestion: 'remove it, or put a text that contains it in quotes',
    };
  }
  if (/^Unexpected .* at node end$|^Unexpected \S*scalar token|^Missing , (?:or : )?between flow/.test(message)) {
    return explainTrailingText(at, marks, text) ?? { message: lowerFirst(message) };
  }
  if (code === 'BAD_SCALAR_START' || message.startsWith('Nested mappings are not allowed')) {
    const whole = quoteFrom(text, at, marks.depthAt(at) > 0);
    const deeper = code === 'BAD_SCALAR_START' || whole === null ? null : explainTooDeep(at, whole, text);
    if (deeper !== null) return deeper;
    const why =
      code === 'BAD_SCALAR_START'
        ? `a text without quotes cannot begin with \`${text.charAt(at)}\``
        : 'a text without quotes cannot contain `: `';
    const suggestion = whole === null ? undefined : `write \`${quoted(whole)}\``;
    return { message: why, suggestion };
  }
  const behindBlock = message.startsWith('Not a YAML token') ? explainBehindBlock(at, text) : null;
  if (behindBlock !== null) return behindBlock;
  const isBlock = marks.depthAt(at) === 0;
  if (message.startsWith('A block sequence may not be used')) return explainColumn(at, text);
  if (isBlock && (code === 'MULTILINE_IMPLICIT_KEY' || message.startsWith('Implicit map keys need to be followed')))
    return explainNoColon(at, text);
  if (isBlock && code === 'BAD_INDENT') return explainColumn(at, text);
  return { message: lowerFirst(message) };
}

function explainUnclosedQuote(at: number, marks: Marks, text: string): Explanation {
  const opened = marks.quotedBefore(at);
  if (opened === undefined) return { message: 'a quote is never closed' };
  const quote = text.charAt(opened.start);
  const continued = explainContinuation(opened, text);
  if (continued !== null) return continued;
  return {
    span: { start: opened.start, end: opened.start + 1 },
    message: `this \`${quote}\` is never closed`,
    suggestion: `write a \`${quote}\` at the end of the text, or put a text that contains a \`${quote}\` in ${quote === '"' ? 'single' : 'double'} quotes`,
  };
}

function explainUnclosedBracket(at: number, marks: Marks, text: string): Explanation | null {
  const opened = marks.openedBefore(at);
  if (opened === undefined) return null;
  const bracket = text.charAt(opened.start);
  const closing = bracket === '[' ? ']' : '}';
  const comment = /^[^\n]*?\s(#[^\n]*)/.exec(text.slice(opened.start, opened.start + 1_000))?.[1];
  return {
    span: { start: opened.start, end: opened.start + 1 },
    message: `this \`${bracket}\` is never closed`,
    suggestion: comment?.includes(closing)
      ? `a \`#\` after a space begins a comment, which contains the \`${closing}\`: put a text that contains a \`#\` in quotes`
      : `write a \`${closing}\` after the last item, or put a text that begins with \`${bracket}\` in quotes`,
  };
}

/** `"/x y" --z`, `'it's'`, `[a] b`, `*a b`: text after a value that has ended. */
function explainTrailingText(at: number, marks: Marks, text: string): Explanation | null {
  const before = text.slice(0, at).trimEnd();
  const last = before.length - 1;
  const isAdjacent = before.length === at;
  const inFlow = marks.depthAt(at) > 0;
  const end = at + (quoteFrom(text, at, inFlow)?.length ?? 1);
  const span = { start: at, end };
  const ended = marks.quotedBefore(at);
  if (ended !== undefined && ended.end === last + 1) {
    const quote = text.charAt(ended.start);
    const opening = { start: ended.start, end: ended.start + 1 };
    if (inFlow && !isAdjacent && /["']/.test(text.charAt(at)))
      return { span, message: 'a `,` is missing before this', suggestion: 'write a `,` between two items' };
    if (text.slice(ended.start, ended.end).includes('\n')) {
      // The closing quote is missing, so the opening quote of the next text closed it instead.
      return {
        span: opening,
        message: `the text that this \`${quote}\` opens ends on a later line, and more text follows there`,
        suggestion: `is the closing \`${quote}\` missing on this line?`,
        related: [{ message: 'the text ends here', span: { start: last, end: last + 1 } }],
      };
    }
    const whole = text.slice(ended.start, end);
    return {
      span,
      message: `text follows the closing \`${quote}\`: a value that begins with a quote ends at the next quote`,
      suggestion:
        whole.length > LONGEST_ADVICE
          ? 'put the whole text in quotes'
          : `write \`${requoted(whole, quote, isAdjacent)}\`${inFlow ? ', or a `,` between two items' : ''}`,
    };
  }
  const bracket = /[\]}]/.test(text.charAt(at)) ? at : last;
  if (/[\]}]/.test(text.charAt(bracket))) return explainBehindBracket(bracket, marks, text);
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const alias = /(?:^|[\s[{,])(\*\S+)\s*$/.exec(text.slice(lineStart, at));
  if (alias !== null) {
    const start = at - (alias[0].length - alias[0].indexOf('*'));
    const whole = quoteFrom(text, start, inFlow);
    const suggestion = whole === null ? undefined : `write \`${quoted(whole)}\` if the \`*\` is part of the text`;
    return { span, message: `text follows the alias \`${alias[1]}\``, suggestion };
  }
  if (inFlow) return { message: 'a `,` is missing before this', suggestion: 'write a `,` between two items' };
  return null;
}

/** `[ -e /x ] || run` */
function explainBehindBracket(bracket: number, marks: Marks, text: string): Explanation {
  const opened = marks.openedBefore(bracket);
  const inFlow = marks.depthAt(bracket) > 1;
  const whole = opened === undefined ? null : quoteFrom(text, opened.start, false);
  const isOneText = !inFlow && opened !== undefined && whole !== null && opened.start + whole.length > bracket + 1;
  const rest = /\S/.exec(text.slice(bracket + 1))?.index ?? 0;
  const start = bracket + 1 + rest;
  return {
    span: { start, end: isOneText ? opened.start + whole.length : start + 1 },
    message: `text follows the closing \`${text.charAt(bracket)}\``,
    suggestion: isOneText
      ? `write \`${quoted(whole)}\` if it is one text`
      : 'put the whole value in quotes if it is one text',
  };
}

/** The plain text from `start` to the end of its line or flow item; null if it is too long to show. */
function quoteFrom(text: string, start: number, inFlow: boolean): string | null {
  const newline = text.indexOf('\n', start);
  const line = text.slice(start, Math.min(newline < 0 ? text.length : newline, start + 1_000));
  const end = line.search(inFlow ? /\s#|[,\]}]/ : /\s#/);
  const whole = (end < 0 ? line : line.slice(0, end)).trimEnd();
  return whole === '' || whole.length > LONGEST_ADVICE ? null : whole;
}

/** A text in quotes that need no escapes if possible, else in single quotes. */
function quoted(text: string): string {
  if (!text.includes("'")) return `'${text}'`;
  return /["\\]/.test(text) ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
}

/** Quotes the whole text. Only in a text such as `'it's'` are the outer quotes those of the value. */
function requoted(whole: string, quote: string, isAdjacent: boolean): string {
  if (!isAdjacent || !whole.endsWith(quote) || whole.length < 3) return quoted(whole);
  const inside = whole.slice(1, -1);
  return quote === "'" ? `'${inside.replaceAll("'", "''")}'` : `"${inside.replaceAll(/(?<!\\)"/g, '\\"')}"`;
}

const ADVICE: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a text with `: ` in it must be in quotes',
  BAD_SCALAR_START: 'a text that begins like this must be in quotes',
  TAB_AS_INDENT: 'indent with spaces',
  BAD_DQ_ESCAPE: 'in double quotes a backslash is written `\\\\`; in single quotes it is literal',
};

/** For a line with `${X}` without quotes in a flow collection: YAML parses the brace as the start of a map. */
function adviseReference(start: number, text: string, marks: Marks): string | undefined {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', start);
  const line = text.slice(lineStart, Math.min(lineEnd < 0 ? text.length : lineEnd, lineStart + 2000));
  const found = /(?:[[,]|(?:^|[^$]){)[^"']*\$\{/.exec(line);
  const isInside = found !== null && marks.depthAt(lineStart + found.index + found[0].length - '${'.length) > 0;
  return isInside ? 'inside `[ ]` and `{ }` a reference to a variable must be in quotes' : undefined;
}

function lowerFirst(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
