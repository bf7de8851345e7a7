// Explains errors in the layout of YAML: lines in the wrong column, and a missing `:`, `- ` or space. Works on the text alone; loads no
// parser.
import { adviseBlank } from './advice.ts';
import type { Span } from './tree.ts';

/** What is reported in place of an error of the parser. */
export interface Explanation {
  readonly span?: Span;
  readonly message: string;
  readonly suggestion?: string | undefined;
  readonly related?: readonly { readonly message: string; readonly span: Span }[];
  /** Errors before this offset are consequences of this one. */
  readonly until?: number;
}

const LONGEST_ADVICE = 120;

/** A line of the text without its indentation, its comment and the blanks at its end. */
interface Line extends Span {
  readonly text: string;
  /** Number of blanks before it. */
  readonly indent: number;
}

/** The line that contains the offset. */
function lineAt(at: number, text: string): Line {
  const begin = text.lastIndexOf('\n', at - 1) + 1;
  const newline = text.indexOf('\n', at);
  const whole = text.slice(begin, Math.min(newline < 0 ? text.length : newline, begin + 2_000));
  const indent = /^[ \t]*/.exec(whole)?.[0].length ?? 0;
  const content = whole
    .slice(indent)
    .replace(/(?:^|\s)#.*/, '')
    .trimEnd();
  const start = begin + indent;
  return { text: content, indent, start, end: start + Math.max(1, content.length) };
}

/** The next line after the offset that is not empty. */
function lineAfter(at: number, text: string): Line | null {
  for (let newline = text.indexOf('\n', at); newline >= 0; newline = text.indexOf('\n', newline + 1)) {
    const line = lineAt(newline + 1, text);
    if (line.text !== '') return line;
  }
  return null;
}

/** The closest line above the one that contains the offset for which `accepts` is true. */
function lineAbove(at: number, text: string, accepts: (line: Line) => boolean): Line | null {
  let begin = text.lastIndexOf('\n', at - 1);
  // A line that matters is near; a file of one megabyte must not be searched for each error.
  for (let left = 200; left > 0 && begin >= 0; left -= 1) {
    const line = lineAt(begin, text);
    if (line.text !== '' && accepts(line)) return line;
    begin = text.lastIndexOf('\n', begin - 1);
    if (begin <= 0) return null;
  }
  return null;
}

const keyOf = ({ text }: Line): string | null => /^(?:- +)*([\w.-]+) *:(?:\s|$)/.exec(text)?.[1] ?? null;

/** `port 80`, `port:80`, `port=80`, `web`: a line that must be a key and a value. */
export function explainNoColon(at: number, text: string): Explanation {
  const line = lineAt(at, text);
  const span = { start: at, end: Math.max(at + 1, line.end) };
  const given = text.slice(at, line.end);
  const block = explainBlockLine(line, text);
  if (block !== null) return block;
  const message = 'this line is not `key: value`';
  if (given.length > LONGEST_ADVICE) return { span, message };
  if (given.startsWith('//')) return { span, message, suggestion: 'a comment begins with `#`' };
  const glued = /^([\w.-]+):(?!\/\/)(\S.*)$/.exec(given);
  if (glued !== null)
    return {
      span,
      message: 'a space is missing after the `:`',
      suggestion: `write \`${glued[1]}: ${glued[2]}\``,
    };
  const [, key, rest] = /^([\w.-]+)(?:(?:\s*=\s*|\s+)(.*))?$/.exec(given) ?? [];
  const deeper = 'indent the line further if it continues the text above';
  if (key === undefined) return { span, message, suggestion: deeper };
  const suggestion = `write \`${key}:${rest === undefined ? '' : ` ${rest}`}\`, or ${deeper}`;
  return { span, message: `a \`:\` is missing after \`${key}\``, suggestion };
}

/** A line below `key: |` that is not indented further than the key. */
function explainBlockLine(line: Line, text: string): Explanation | null {
  const above = lineAbove(line.start, text, () => true);
  const key = above === null ? null : keyOf(above);
  if (above === null || key === null || !/[|>][-+\d]*$/.test(above.text) || line.indent > above.indent) return null;
  let last = line;
  for (let next = lineAfter(last.end, text); next !== null; next = lineAfter(last.end, text)) {
    if (keyOf(next) !== null || next.indent < line.indent) break;
    last = next;
  }
  return {
    span: { start: line.start, end: line.end },
    message: `this line belongs to the text of \`${key}\`, and is not indented enough`,
    suggestion: `indent each line of the text further than \`${key}\``,
    until: last.end,
  };
}

/** `key: | text`: text behind the mark of a block. */
export function explainBehindBlock(at: number, text: string): Explanation | null {
  const line = lineAt(at, text);
  const mark = /(?:^|\s)([|>])[-+\d]*\s+$/.exec(text.slice(line.start, at))?.[1];
  if (mark === undefined) return null;
  const key = keyOf(line);
  const behind = key === null ? '' : `, indented further than \`${key}\``;
  return {
    span: { start: at, end: Math.max(at + 1, line.end) },
    message: `text follows \`${mark}\`, which begins a text of several lines`,
    suggestion: `begin the text on the next line${behind}, or put it in quotes if the \`${mark}\` is part of it`,
  };
}

/** A key or an item that begins in no column of those above it. */
export function explainColumn(at: number, text: string): Explanation {
  const line = lineAt(text.charAt(at) === '\n' ? at + 1 : at, text);
  const span = { start: line.start, end: line.end };
  const advice = line.text.length > LONGEST_ADVICE ? undefined : line.text;
  const odd = adviseBlank(line.text.charAt(0));
  if (odd !== undefined) return { span, message: 'the line does not begin in the column of its map', suggestion: odd };
  const isItem = /^-(?:\s|$)/.test(line.text);
  const sibling = lineAbove(line.start, text, ({ indent }) => indent <= line.indent);
  if (sibling?.indent === line.indent && /^-(?:\s|$)/.test(sibling.text) && !isItem)
    return {
      span,
      message: 'a `- ` is missing: the lines above are items of a list',
      suggestion: advice === undefined ? undefined : `write \`- ${advice}\``,
    };
  const [previous, key] = [lineAbove(line.start, text, () => true), keyOf(line)];
  if (previous !== null && previous.indent < line.indent && key !== null && keyOf(previous) !== null)
    return { span, ...describeTooDeep(key, keyOf(previous) ?? '') };
  if (isItem && previous !== null && !/^-(?:\s|$)/.test(previous.text))
    return {
      span,
      message: 'an item of a list stands between the keys of a map',
      suggestion: 'write it directly below the key that has the list',
    };
  const above = lineAbove(line.start, text, ({ indent }) => indent > line.indent);
  const like = above === null ? null : keyOf(above);
  return {
    span,
    message: `${isItem ? 'items of one list' : 'keys of one map'} must begin in the same column`,
    suggestion:
      key === null || like === null
        ? 'indent this line like the lines above that it belongs to'
        : `write \`${key}\` in the column of \`${like}\` above, or in that of the map around it`,
  };
}

function describeTooDeep(key: string, above: string): Pick<Explanation, 'message' | 'suggestion'> {
  return {
    message: `\`${key}\` is indented further than \`${above}\` above it, which has a value already`,
    suggestion: `write \`${key}\` in the column of \`${above}\`, or remove the value of \`${above}\``,
  };
}

/** A key that is indented further than the one above, so that YAML reads it as a part of the value of that one. */
export function explainTooDeep(at: number, value: string, text: string): Explanation | null {
  if (/:(?:\s|$)/.test(value)) return null;
  const next = lineAfter(at, text);
  const [above, key] = [lineAt(at, text), next === null ? null : keyOf(next)];
  const aboveKey = keyOf(above);
  if (next === null || key === null || aboveKey === null || next.indent <= above.indent) return null;
  return {
    span: { start: next.start, end: next.start + key.length },
    ...describeTooDeep(key, aboveKey),
    until: next.end + 1,
  };
}

/** A text in quotes whose next line is indented too little, so that it ends before its closing quote. */
export function explainContinuation(opened: Span, text: string): Explanation | null {
  const quote = text.charAt(opened.start);
  const next = lineAfter(opened.end, text);
  const close = text.indexOf(quote, opened.end);
  if (next === null || close < next.start) return null;
  // Of a text that is never closed, the next quote in the file opens another one.
  if (!/^[ \t]*(?:[,\]}#\r\n]|$)/.test(text.slice(close + 1, close + 1_000))) return null;
  if (/[\s:,[{]/.test(text.charAt(close - 1)) && close !== next.start) return null;
  const key = keyOf(lineAt(opened.start, text));
  return {
    span: { start: next.start, end: next.end },
    message: `this line continues the text of line ${text.slice(0, opened.start).split('\n').length}, and is not indented enough`,
    suggestion: `indent it further than ${key === null ? 'the first line of the text' : `\`${key}\``}`,
    related: [{ message: 'the text begins here', span: { start: opened.start, end: opened.start + 1 } }],
    until: close + 1,
  };
}
