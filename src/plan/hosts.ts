// The text of /etc/hosts with one block of lines for the services of a plan, and without it. Pure: who writes the file is the
// root's business. Lines that are not ours are never changed.
import type { Plan } from './plan.ts';

const BEGIN = '# svc-super: these names are services of this container';
const END = '# svc-super: end';
const ADDRESS = '127.0.0.1';

export interface HostsText {
  readonly text: string;
  /** Names that got no line, and why not. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
}

/**
 * What is to resolve: enabled services by their names and, of copies, by the name of all. One that is not enabled is
 * somewhere else, if it is at all, and its name is left to whoever knows where.
 */
export function hostNames({ services }: Pick<Plan, 'services'>): readonly string[] {
  const enabled = services.filter((service) => service.enabled);
  return [...new Set(enabled.flatMap(({ name, replica }) => (replica === null ? [name] : [replica.of, name])))];
}

/** The text with a block for these names, in place of any that is in it. */
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

/** The text without our block. One whose end somebody has cut off reaches as far as lines look like ours. */
export function withoutHosts(text: string): string {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split(/(?<=\n)/)) {
    const bare = line.trimEnd();
    if (bare === BEGIN) inside = true;
    else if (inside && bare === END) inside = false;
    else {
      inside &&= bare.startsWith(`${ADDRESS}\t`);
      if (!inside) kept.push(line);
    }
  }
  return kept.join('');
}

/** The names that the text has, in small letters, and the address of each. */
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
  if (address !== undefined) return `it is there already, as ${address}`;
  // inet_aton(3), which every resolver asks first, takes `10` and `1.2` for addresses.
  if (/^(?:0x[\da-f]+|\d+)(?:\.(?:0x[\da-f]+|\d+)){0,3}$/i.test(name)) return 'it reads as an address';
  if (name.endsWith('.') || name.includes('..')) return 'it is no name of a host';
  return null;
}
