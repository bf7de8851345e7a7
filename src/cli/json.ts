// JSON output of the commands. Pure.
import { printableJson } from '../text.ts';

/** One line, or indented by `indent` columns, with a line end. Characters that a terminal interprets are escaped. */
export function renderJson(value: unknown, indent = 0): string {
  return `${printableJson(JSON.stringify(value, null, indent))}\n`;
}
