// The sections of the table of services: those that need a person first, then group by group. Pure.
import { type ServiceStatus, urgencyOf } from './format.ts';

type Member = Pick<ServiceStatus, 'name' | 'group'> & Parameters<typeof urgencyOf>[0];

export interface ServiceSection {
  /** null: the services without a group. */
  readonly group: string | null;
  readonly isUrgent: boolean;
  readonly names: readonly string[];
}

/** The urgent services, then each group, then the services without a group. */
function sectionsOf(services: readonly Member[], groups: readonly string[]): readonly ServiceSection[] {
  const urgent = services
    .filter((service) => urgencyOf(service) !== null)
    .sort((a, b) => (urgencyOf(a) ?? 0) - (urgencyOf(b) ?? 0));
  const rest = services.filter((service) => !urgent.includes(service));
  const named = [...groups, null].map((group) => ({
    group,
    isUrgent: false,
    names: rest.filter((service) => service.group === group).map(({ name }) => name),
  }));
  const all = [{ group: null, isUrgent: true, names: urgent.map(({ name }) => name) }, ...named];
  // A group whose members all need attention keeps its heading, because of its buttons.
  return all.filter(({ names, group }) => names.length > 0 || group !== null);
}

interface Shown {
  /** The services with their groups, as of `sections`. */
  readonly of: string;
  readonly sections: readonly ServiceSection[];
}

export const NO_SECTIONS: Shown = { of: '', sections: [] };

/** The sections to show. `isHeld`: those that are shown stay as they are, unless a reload has changed services or groups. */
export function nextSections(
  shown: Shown,
  services: readonly Member[],
  groups: readonly string[],
  isHeld: boolean,
): Shown {
  const of = JSON.stringify([groups, services.map(({ name, group }) => [name, group])]);
  return isHeld && of === shown.of ? shown : { of, sections: sectionsOf(services, groups) };
}
