// Names of services made from names of other systems: valid by the rule of services.yaml, and no two the same.
import { NAME, NAME_RULE } from '../../config/command.ts';
import type { Where } from '../findings.ts';
import type { Report } from './source.ts';

const MOST = 63;

/** Hands out names. */
export class Names {
  readonly #taken = new Set<string>(['svc-super']);

  has(name: string): boolean {
    return this.#taken.has(cleanName(name));
  }

  /** A valid name like `wanted` that no service has yet. Reports at `where`, with the reason, if it differs from `wanted`. */
  take(wanted: string, report?: Report, where: Where | null = null): string {
    const base = cleanName(wanted);
    let name = base;
    for (let count = 2; this.#taken.has(name); count += 1) name = `${base.slice(0, MOST - 6)}-${count}`;
    this.#taken.add(name);
    if (name !== wanted && report !== undefined) {
      const taken = base === wanted ? 'the name is taken' : `${base} is taken`;
      const reasons = [...(base === wanted ? [] : [`a name is ${NAME_RULE}`]), ...(name === base ? [] : [taken])];
      report.changed(where, `the name ${wanted}`, `it is called ${name}: ${reasons.join(', and ')}`);
    }
    return name;
  }
}

/** A valid name made of the letters, digits, `_`, `.` and `-` of a text; `service` if there are none. */
function cleanName(text: string): string {
  if (NAME.pattern.test(text)) return text;
  const cleaned = text
    .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MOST)
    .replace(/[-.]+$/, '');
  return cleaned === '' ? 'service' : cleaned;
}
