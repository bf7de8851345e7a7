// What to write instead of a value of the wrong kind, where the value shows a usual mistake: a missing space, `- ` or `:`, or the form of
// another system. Reports nothing.
import type { Reading } from './reading.ts';
import type { Node, ScalarNode } from './tree.ts';

/** A blank that YAML does not take for a space, or a character without a width: an editor or a web page has put it there. */
const ODD_BLANK = /[\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff]/;

/** A text with a blank that looks like a space. */
export function adviseBlank(text: string): string | undefined {
  const odd = ODD_BLANK.exec(text)?.[0].charCodeAt(0);
  if (odd === undefined) return undefined;
  return `the line contains U+${odd.toString(16).toUpperCase().padStart(4, '0')}, which is not a space: type its spaces again`;
}

/** A list was expected: `-db`, or a line for each item without `- `, is a text for YAML. */
export function adviseItems(node: Node, { source }: Reading): string | undefined {
  if (node.kind !== 'scalar' || node.value === null || /[[\]{},"\n]/.test(node.text)) return undefined;
  const [first = '', ...others] = node.plain ? source.text.slice(node.start, node.end).split('\n') : [];
  if (/^-[^\s\d-]/.test(first)) return `a space is missing after the \`-\`: write \`- ${first.slice(1).trim()}\``;
  if (others.length > 0) return `write \`- \` before each item: \`- ${first.trim()}\``;
  return `write \`[${node.text}]\``;
}

/** A text was expected: one with `: ` in it is a map for YAML. */
export function adviseText(node: Node, { source }: Reading): string | undefined {
  if (node.kind !== 'map' || node.entries.size !== 1) return undefined;
  const written = source.text.slice(node.start, node.end).trim();
  return /^[^\n{}[\]"'&*]{1,80}: [^\n{}[\]"'&*]{1,80}$/.test(written)
    ? `a text that contains \`: \` must be in quotes: \`'${written}'\``
    : undefined;
}

/** A map of variables was expected: `- A=b` and `A=b` are those of Compose and of a shell. */
export function adviseVariables(node: Node): string | undefined {
  const first = node.kind === 'list' ? node.items[0] : node;
  const [, name, value] = (first?.kind === 'scalar' && /^(\w+)=(\S*)/.exec(first.text)) || [];
  if (name !== undefined) return `write \`${name}: ${value === '' ? '""' : value}\``;
  return first?.kind === 'map' && node.kind === 'list' ? 'write the variables without `- `' : undefined;
}

/** The fields of the service `key` were expected: a line without `: `, or a field that is not indented. */
export function adviseFields(key: string, { text }: ScalarNode, fields: object): string {
  const odd = adviseBlank(text);
  if (odd !== undefined) return odd;
  const [, field = '', between = '', value = ''] = /^(\w+)(:|\s*=|\s)\s*(\S[^\n]*)$/.exec(text) ?? [];
  if (Object.hasOwn(fields, field)) {
    const what = between === ':' ? 'a space is missing after the `:`' : `a \`:\` is missing after \`${field}\``;
    return `${what}: write \`${field}: ${value}\``;
  }
  if (Object.hasOwn(fields, key))
    return 'indent it further than the name of the service if it is a field of that service';
  return `write \`${key}: {command: …}\``;
}
