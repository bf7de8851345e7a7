// Selects services for a request or a command: by names, globs, a group, or all. Everything that takes names uses these
// rules. Pure.

import { isGlob, matchServices, type Named, names as namesOf, suggestNames } from '../plan/names.ts';

export interface Selector {
  /** Names, or globs (`*`, `?`, `[abc]`); the name of a service with replicas selects all of them. */
  readonly names: readonly string[];
  readonly group?: string | undefined;
  readonly all?: boolean | undefined;
}

interface Member extends Named {
  readonly group: string | null;
}

type Selected =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly error: string };

/** The selected names, in the order of the services. A name, glob or group without a match is an error. `none`: what an empty selector means. */
export function select(selector: Selector, services: readonly Member[], none: 'all' | 'error'): Selected {
  const { names, group, all = false } = selector;
  if (names.length === 0 && group === undefined && !all) {
    if (none === 'error') return { ok: false, error: 'select services, a group or all' };
    return { ok: true, names: services.map(({ name }) => name) };
  }
  const found = new Set<string>();
  const missing: string[] = [];
  for (const wanted of names) {
    const hits = matchServices(wanted, services);
    for (const { name } of hits) found.add(name);
    if (hits.length === 0) missing.push(wanted);
  }
  if (missing.length > 0) return { ok: false, error: describeMissing(missing, services) };
  if (group !== undefined) {
    const members = services.filter((service) => service.group === group);
    if (members.length === 0) {
      const groups = [...new Set(services.flatMap((service) => service.group ?? []))];
      const known = groups.length === 0 ? 'there are no groups' : `the groups are ${groups.join(', ')}`;
      return { ok: false, error: `there is no group ${group}; ${known}${suggestNames([group], groups)}` };
    }
    for (const { name } of members) found.add(name);
  }
  if (all) for (const { name } of services) found.add(name);
  return { ok: true, names: services.map(({ name }) => name).filter((name) => found.has(name)) };
}

function describeMissing(missing: readonly string[], services: readonly Member[]): string {
  const known = namesOf(services);
  const shown = known.length <= 20 ? known.join(', ') : `${known.slice(0, 20).join(', ')}, ...`;
  const what = `${missing.some(isGlob) ? 'no service matches' : 'there is no service'} ${missing.join(', ')}`;
  return `${what}; the services are ${shown}${suggestNames(missing, known)}`;
}
