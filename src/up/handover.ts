// The plan's way from the first stage of the boot to the second, as text. Each word of the services' environments is there
// once, as it is in memory: most of them are the container's, and every service has them. Part of the root; pure.
import type { Plan, ServicePlan } from '../plan/plan.ts';

/** What a configuration has been found to say. */
export interface Prepared {
  readonly plan: Plan;
  /** What is doubtful in it, a sentence each. */
  readonly doubts: readonly string[];
}

/** What the second stage goes on with. */
export interface Handover extends Prepared {
  /** The configuration's file, for a reload. */
  readonly file: string;
  /** The services that the command line named. */
  readonly names: readonly string[];
}

interface Packed extends Omit<Handover, 'plan'> {
  readonly words: readonly string[];
  readonly plan: Omit<Plan, 'services'> & {
    /** An environment as positions in `words`: name, value, name, value. */
    readonly services: readonly (Omit<ServicePlan, 'env'> & { readonly env: readonly number[] })[];
  };
}

export function pack({ plan, ...rest }: Handover): string {
  const positions = new Map<string, number>();
  const position = (word: string): number => {
    const known = positions.get(word);
    if (known !== undefined) return known;
    positions.set(word, positions.size);
    return positions.size - 1;
  };
  const services = plan.services.map((service) => ({
    ...service,
    env: Object.entries(service.env).flatMap(([name, value]) => [position(name), position(value)]),
  }));
  const packed: Packed = { ...rest, plan: { ...plan, services }, words: [...positions.keys()] };
  return JSON.stringify(packed);
}

export function unpack(text: string): Handover {
  const { words, plan, ...rest } = JSON.parse(text) as Packed;
  const services = plan.services.map((service) => {
    const env: [string, string][] = [];
    for (let at = 0; at < service.env.length; at += 2) {
      env.push([words[service.env[at] ?? -1] ?? '', words[service.env[at + 1] ?? -1] ?? '']);
    }
    return { ...service, env: Object.fromEntries(env) };
  });
  return { ...rest, plan: { ...plan, services } };
}
