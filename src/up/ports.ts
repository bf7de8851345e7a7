// Finds ports of services that other processes already listen on, before a start or a reload: a service may fail only after
// half an hour, when its model is loaded.
import type { Plan } from '../plan/plan.ts';
import { startingServices } from '../plan/starting.ts';

interface TakenPort {
  readonly service: string;
  readonly port: number;
  /** The process that listens on the port, such as `pid 12 (nginx)`. */
  readonly holder: string;
}

/** Describes the process that listens on a port of a service; null: none. */
export type HolderFor = (port: number, service: string) => string | null;

/** Ports that prevent a start: of services that start with the supervisor. Services with a restart policy are not checked: they try again. */
export function findTakenPorts({ services }: Plan, describePortHolder: HolderFor): TakenPort[] {
  const starting = startingServices(services);
  return services.flatMap(({ name, restart, ports }) =>
    !starting.has(name) || restart.policy !== 'never' ? [] : findHeld(name, ports, describePortHolder),
  );
}

/**
 * Ports that prevent a reload: a service that needs one would fail, and might end the container. A service with a restart policy is
 * checked too: the operator reads the answer, and a refused reload changes nothing. `ours` are ports of our own
 * services, which may be in use until those have stopped: they are not checked.
 */
export function findNewlyTaken(
  ours: ReadonlySet<number>,
  { services }: Plan,
  describePortHolder: HolderFor,
): TakenPort[] {
  const starting = startingServices(services);
  return services.flatMap(({ name, ports }) =>
    starting.has(name)
      ? findHeld(
          name,
          ports.filter((port) => !ours.has(port)),
          describePortHolder,
        )
      : [],
  );
}

function findHeld(service: string, ports: readonly number[], describePortHolder: HolderFor): TakenPort[] {
  return ports.flatMap((port) => {
    const holder = describePortHolder(port, service);
    return holder === null ? [] : [{ service, port, holder }];
  });
}
