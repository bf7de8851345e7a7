// Values as YAML that every reader understands alike: words and numbers that YAML 1.1 would read in another way (`no`, `22:22`)
// are quoted. Reads nothing.

import type * as Yaml from 'yaml';
// The node build prints its tokens if the environment has LOG_STREAM or LOG_TOKENS; the browser build does not read these
// variables (src/config/yaml-thorough.ts).
// @ts-expect-error the package declares no types at this path
import * as browserBuild from '../../../node_modules/yaml/browser/index.js';

const { Document, visit } = browserBuild as typeof Yaml;

/** Texts that YAML 1.2 reads as something else and YAML 1.1 does not; and characters that some readers refuse without quotes. */
const NEEDS_QUOTES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /^(?:0o[0-7]+|=)$|^[^\n]*\t[^\n]*$|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff]/;

/** One document, ending with a newline; keys in the order of the object, texts with several lines as blocks. */
export function renderYaml(value: object): string {
  const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && NEEDS_QUOTES.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0 });
}

/** Removes keys whose value is undefined, null, or an empty list or map. */
export function compact(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => !isEmpty(one)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
