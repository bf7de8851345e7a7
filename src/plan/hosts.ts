// The text of /etc/hosts with and without one block of lines for the services of a plan. Pure: src/up writes the file. Lines
// outside of the block are never changed.
import type { Plan } from './plan.ts';

const BEGIN = '# svc-super: these names are services of this container';
const END = '# svc-super: end';
const ADDRESS = '127.0.0.1';

interface HostsText {
  readonly text: string;
  /** Names without a line, and the reasons. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
}

/**
 * The names to resolve: those of enabled services and, for replicas, the common name too. A disabled service may run
 * elsewhere, so its name is left to the container's resolver.
 */
export function hostNames({ services }: Pick<Plan, 'services'>): readonly string[] {
  const enabled = services.filter((service) => service.enabled);
  return [...new Set(enabled.flatMap(({ name, replica }) => (replica === null ? [name] : [replica.of, name])))];
}

/** The text with a block for these names, which replaces an existing block. */
export function withHosts(text: string, names: readonly string[]): HostsText {
  const rest = withoutHosts(text);
  const known = addresses(rest);
  const taken = names.map((name) => ({ name, why: whyNot(name, known) }));
  const skipped = taken.flatMap(({ name, why }) => (why === null ? [] : [{ name, why }]));
  const lines = taken.flatMap(({ name, why }) => (why === null ? [`${ADDRESS}\t${name}\n`] : []));
  if (lines.length === 0) return { text: rest, skipped };
  const before = rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
  return { text: `${before}${BEGIN}\n${lines.join('')}${END}\n`, skipped };
}

/** The text without the block. If its end marker is missing, the block ends at the first line of another form than its own. */
export function withoutHosts(text: string): string {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split(/(?<=\n)/)) {
    const bare = line.trimEnd();
    if (bare === BEGIN) inside = true;
    else if (inside && bare === END) inside = false;
    else {
      inside &&= isOwn(bare);
      if (!inside) kept.push(line);
    }
  }
  return kept.join('');
}

/** Whether withHosts() could have written the line: the address, a tab, one name. */
const isOwn = (line: string): boolean => line.startsWith(`${ADDRESS}\t`) && /^\S+\t\S+$/.test(line);

/** The names in the text, in lower case, with their addresses. */
function addresses(text: string): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    for (const name of names) if (!known.has(name.toLowerCase())) known.set(name.toLowerCase(), address ?? '');
  }
  return known;
}

function whyNot(name: string, known: ReadonlyMap<string, string>): string | null {
  const address = known.get(name.toLowerCase());
  if (address !== undefined) return `it exists already, as ${address}`;
  // inet_aton(3), which resolvers try first, accepts `10` and `1.2` as addresses.
  if (/^(?:0x[\da-f]+|\d+)(?:\.(?:0x[\da-f]+|\d+)){0,3}$/i.test(name)) return 'resolvers would read it as an address';
  if (name.endsWith('.') || name.includes('..')) return 'it is not a valid host name';
  return null;
}
