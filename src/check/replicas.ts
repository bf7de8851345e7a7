// What is true of all replicas of a service is one finding about the service. Pure.
import type { Plan } from '../plan/plan.ts';

/** A statement about a service; null: about none. All its other fields are compared. */
interface Statement {
  readonly service: string | null;
}

/** Replaces statements that are equal for all replicas of a service by one with the name of that service, where the first one was. */
export function mergeReplicas<T extends Statement>(
  statements: readonly T[],
  { services }: Pick<Plan, 'services'>,
): T[] {
  const owners = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const { name, replica, enabled } of services) {
    if (replica === null || !enabled) continue;
    owners.set(name, replica.of);
    counts.set(replica.of, (counts.get(replica.of) ?? 0) + 1);
  }
  if (owners.size === 0) return [...statements];
  const ownerOf = ({ service }: T) => (service === null ? undefined : owners.get(service));
  const keyOf = (statement: T, owner: string) => JSON.stringify({ ...statement, service: owner });
  const saying = new Map<string, Set<string | null>>();
  for (const statement of statements) {
    const owner = ownerOf(statement);
    if (owner === undefined) continue;
    const key = keyOf(statement, owner);
    const names = saying.get(key) ?? new Set();
    saying.set(key, names.add(statement.service));
  }
  const merged = new Set<string>();
  return statements.flatMap((statement) => {
    const owner = ownerOf(statement);
    if (owner === undefined) return [statement];
    const key = keyOf(statement, owner);
    if (saying.get(key)?.size !== counts.get(owner)) return [statement];
    if (merged.has(key)) return [];
    merged.add(key);
    return [{ ...statement, service: owner }];
  });
}
