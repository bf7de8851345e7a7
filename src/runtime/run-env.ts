// The difference between the environment of a run and that of its plan: env files and secrets may have changed since the plan was
// made. Reads no file. Pure.

type Variables = Readonly<Record<string, string>>;

/** New values of variables; null: the variable is removed. */
export type EnvChanges = Readonly<Record<string, string | null>>;

/** The changes from `before` to `after`. */
export function changesOf(before: Variables, after: Variables): EnvChanges {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.entries(after).filter(([name, value]) => before[name] !== value);
  return Object.fromEntries([...gone.map((name): [string, null] => [name, null]), ...changed]);
}

/** `before` with the changes applied. */
export function withChanges(before: Variables, changes: EnvChanges): Variables {
  const all = Object.entries({ ...before, ...changes });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}
