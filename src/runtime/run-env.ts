// How the environment of a run differs from that of its plan: the contents of its files may have changed since the plan was
// made. Pure.

type Variables = Readonly<Record<string, string>>;

/** New values of variables; null: the variable is gone. */
export type EnvChanges = Readonly<Record<string, string | null>>;

/** The changes that make `after` of `before`. */
export function changesOf(before: Variables, after: Variables): EnvChanges {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.entries(after).filter(([name, value]) => before[name] !== value);
  return Object.fromEntries([...gone.map((name): [string, null] => [name, null]), ...changed]);
}

/** `before` with the changes. */
export function withChanges(before: Variables, changes: EnvChanges): Variables {
  const all = Object.entries({ ...before, ...changes });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}
