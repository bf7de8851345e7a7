// Names as the targets allow them.

/** The most characters of a DNS label. */
const MOST = 63;

/**
 * A DNS label for each name (RFC 1123: small letters, digits and `-`, at most 63), as Kubernetes and networks of containers
 * require it. Different names get different labels.
 */
export function toLabels(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const label = freeLabel(toLabel(name), taken);
      taken.add(label);
      return [name, label];
    }),
  );
}

/** One name as a DNS label; `service` if nothing of it is left. */
export function toLabel(name: string): string {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, MOST)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? 'service' : label;
}

/** The wanted label, or, where it is taken, the beginning of that label with a number appended. */
export function freeLabel(wanted: string, taken: ReadonlySet<string>): string {
  let label = wanted;
  for (let count = 2; taken.has(label); count += 1) {
    const end = `-${count}`;
    label = `${wanted.slice(0, MOST - end.length)}${end}`;
  }
  return label;
}
