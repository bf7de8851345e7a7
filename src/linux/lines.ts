// Quotes the output of tools in messages. Pure.
import { printableLine } from '../text.ts';

/** The most of a line that a message quotes, characters. */
const MESSAGE = 200;

/** The last line that is not blank, cut to fit into a message; empty if there is none. */
export function lastLineOf(text: string): string {
  return linesOf(text).at(-1) ?? '';
}

/** The lines that are not blank, each cut to fit into a message, without colours and other control sequences. */
export function linesOf(text: string): readonly string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => printableLine(line).slice(0, MESSAGE))
    .filter((line) => line.trim() !== '');
}
