// Which services a name means: itself, all copies of it, or whatever a glob matches. One rule for everything that takes
// names. Pure.
import type { ServicePlan } from './plan.ts';

/** As much of a service as names go by. */
export type Named = Pick<ServicePlan, 'name' | 'replica'>;

/** Those that are meant, in their order; none where nothing bears the name. A name that is a glob too is a name first. */
export function meantBy<T extends Named>(wanted: string, services: readonly T[]): readonly T[] {
  const named = services.filter(({ name, replica }) => name === wanted || replica?.of === wanted);
  if (named.length > 0 || !isGlob(wanted)) return named;
  const pattern = toPattern(wanted);
  return pattern === null
    ? []
    : services.filter(({ name, replica }) => pattern.test(name) || (replica !== null && pattern.test(replica.of)));
}

/** What can be named, for suggestions: of a service with copies its own name alone. */
export function names(services: readonly Named[]): readonly string[] {
  return [...new Set(services.map(({ name, replica }) => replica?.of ?? name))];
}

export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/** `*`, `?`, `[abc]` and `[!abc]`; null for brackets that make no sense. */
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
