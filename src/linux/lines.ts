// Lines that tools print, as they are quoted in messages. Pure.
import { printableLine } from '../text.ts';

/** As much of a line fits into a message, characters. */
const MESSAGE = 200;

/** The last line that says something, as much of it as fits into a message. */
export function lastLineOf(text: string): string {
  return linesOf(text).at(-1) ?? '';
}

/** The lines that say something, of each as much as fits into a message, without colours and whatever else is no text. */
export function linesOf(text: string): readonly string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => printableLine(line).trimEnd().slice(0, MESSAGE))
    .filter((line) => line.trim() !== '');
}
