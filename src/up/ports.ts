// Ports that strangers hold, found before a start or a reload: better told then than after the half hour that a model takes
// to load. Part of the root.
import type { Plan } from '../plan/plan.ts';

export interface TakenPort {
  readonly service: string;
  readonly port: number;
  /** Who has it, in words. */
  readonly holder: string;
}

/** Which process holds a port that a service needs, in words; null: none. */
export type HolderFor = (port: number, service: string) => string | null;

/** What stands in the way of a start. A service that may be started again is left to its policy. */
export function findTakenPorts(plan: Plan, describePortHolder: HolderFor): TakenPort[] {
  return plan.services.flatMap(({ name, enabled, restart, ports }) =>
    !enabled || restart.policy !== 'never' ? [] : held(name, ports, describePortHolder),
  );
}

/**
 * Of the ports that are not ours already, and may be in a service's hands until it has stopped: a service that needs one would
 * fail, and might end everything.
 */
export function findNewlyTaken(ours: ReadonlySet<number>, after: Plan, describePortHolder: HolderFor): TakenPort[] {
  return after.services.flatMap(({ name, enabled, ports }) =>
    enabled
      ? held(
          name,
          ports.filter((port) => !ours.has(port)),
          describePortHolder,
        )
      : [],
  );
}

function held(service: string, ports: readonly number[], describePortHolder: HolderFor): TakenPort[] {
  return ports.flatMap((port) => {
    const holder = describePortHolder(port, service);
    return holder === null ? [] : [{ service, port, holder }];
  });
}
