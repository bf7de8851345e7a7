// Resolves a name to services: a service itself, all its replicas, or the matches of a glob. Everything that takes names
// uses these rules. Pure.
import { nearest } from '../config/nearest.ts';
import type { ServicePlan } from './plan.ts';

/** The part of a service that names refer to. */
export type Named = Pick<ServicePlan, 'name' | 'replica'>;

/** The matching services, in their order; empty if there are none. An exact name takes precedence over a glob. */
export function matchServices<T extends Named>(wanted: string, services: readonly T[]): readonly T[] {
  const named = services.filter(({ name, replica }) => name === wanted || replica?.of === wanted);
  if (named.length > 0 || !isGlob(wanted)) return named;
  const pattern = toPattern(wanted);
  return pattern === null
    ? []
    : services.filter(({ name, replica }) => pattern.test(name) || (replica !== null && pattern.test(replica.of)));
}

/** The known names, for suggestions: a service with replicas is named once. */
export function names(services: readonly Named[]): readonly string[] {
  return [...new Set(services.map(({ name, replica }) => replica?.of ?? name))];
}

/** `; did you mean \`web\`?`: the known names that are closest to mistyped ones; '' if none is close. */
export function suggestNames(mistyped: readonly string[], known: readonly string[]): string {
  const close = new Set(mistyped.flatMap((word) => nearest(word, known) ?? []));
  return close.size === 0 ? '' : `; did you mean ${[...close].map((name) => `\`${name}\``).join(', ')}?`;
}

export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/** `*`, `?`, `[abc]` and `[!abc]`; a `[` that is never closed stands for itself. null for an impossible range, such as `[z-a]`. */
function toPattern(glob: string): RegExp | null {
  const pattern = glob.replace(/[.+^${}()|\\\]]|\[[^\]]*\]|[*?[]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1 ? `[${part.slice(1, -1).replace(/^!/, '^').replace(/\\/g, '\\\\')}]` : `\\${part}`;
  });
  try {
    return new RegExp(`^${pattern}$`);
  } catch {
    return null;
  }
}
