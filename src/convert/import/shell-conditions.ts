// Conditions of `if` in a start script as values of `enabled`. Only plain tests of one variable of the container's environment
// have one.
import type { CompoundList } from 'unbash';
import type { Known } from './shell-words.ts';

/** A value of `enabled`, and what differs in its meaning; null for nothing. */
export interface ShellCondition {
  readonly enabled: string;
  readonly changed: string | null;
}

/** `enabled` for a condition that is written as `text`; null: it cannot be written as a value of that field. */
export function conditionOf(clause: CompoundList, text: string, known: Known): ShellCondition | null {
  if (clause.commands.length !== 1) return null;
  const inner = /^(?:\[\[?\s+(.*?)\s+\]\]?|test\s+(.*?))\s*;?$/s.exec(text.trim());
  const test = inner?.[1] ?? inner?.[2];
  if (test === undefined || /&&|\|\||\s-[ao]\s/.test(test)) return null;
  const variable = /^"?\$\{?([A-Za-z_]\w*)(?::?-)?\}?"?$/;
  const isSet = variable.exec(/^(?:-n\s+)?(.*)$/s.exec(test)?.[1] ?? '')?.[1];
  if (isSet !== undefined && !known.has(isSet)) return { enabled: `\${${isSet}:+true}`, changed: null };
  const [, left = '', right = ''] = /^(\S+)\s+==?\s+(\S+)$/.exec(test) ?? [];
  const [, name = '', fallback = ''] = /^"?\$\{?([A-Za-z_]\w*)(?::-(\w*))?\}?"?$/.exec(left) ?? [];
  const wanted = right.replace(/^["']|["']$/g, '').toLowerCase();
  if (name === '' || known.has(name) || !/^(?:true|yes|on|1)$/.test(wanted)) return null;
  return {
    enabled: `\${${name}:-${/^(?:true|yes|on|1)$/i.test(fallback) ? 'true' : 'false'}}`,
    changed: `true, yes, on or 1 in ${name} enables it; false, no, off, 0 or nothing does not; any other word is an error`,
  };
}
