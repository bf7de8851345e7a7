// Names as the targets allow them.

/**
 * A DNS label for each name (RFC 1123: small letters, digits and `-`, at most 63), as Kubernetes and networks of containers
 * require it. Different names get different labels.
 */
export function toLabels(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const label = toLabel(name);
      let unique = label;
      for (let count = 2; taken.has(unique); count += 1) unique = `${label.slice(0, 60)}-${count}`;
      taken.add(unique);
      return [name, unique];
    }),
  );
}

/** One name as a DNS label; `service` if nothing of it is left. */
export function toLabel(name: string): string {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
  return label === '' ? 'service' : label;
}

/** A label that none of the others is: the wanted one, or with a number. */
export function freeLabel(wanted: string, labels: ReadonlyMap<string, string>): string {
  const taken = new Set(labels.values());
  let label = wanted;
  for (let count = 2; taken.has(label); count += 1) label = `${wanted}-${count}`;
  return label;
}
