// Ports in a batch script. A node's ports are shared by all its jobs, so the script chooses a free one for each variable that
// services.yaml reads a port from.
import type { ExportSource } from './source.ts';

export interface PortVariable {
  readonly name: string;
  /** The service whose port it is; of several, the first. */
  readonly key: string;
  readonly first: number;
  /** How many ports in a row: one for each copy. */
  readonly count: number;
}

/** The variables that are the whole value of a port: `port: ${WEB_PORT:-8000}`. */
export function portVariables({ references, services, assumed }: ExportSource): readonly PortVariable[] {
  const byKey = Map.groupBy(services, ({ key }) => key);
  const variables = new Map<string, PortVariable>();
  for (const { name, path, fallback } of references) {
    const [top, key = '', field] = path.map(String);
    const copies = byKey.get(key) ?? [];
    const first = Number(fallback ?? assumed.get(name));
    const isPort = top === 'services' && (field === 'port' || field === 'ports');
    // In `port: 80${N:-01}` the variable is not the port.
    if (!isPort || !copies.some(({ config }) => config.ports.includes(first))) continue;
    const earlier = variables.get(name);
    const count = Math.max(copies[0]?.config.replicas ?? 1, earlier?.count ?? 1);
    variables.set(name, { ...(earlier ?? { name, key, first }), count });
  }
  return [...variables.values()];
}

/** A function of bash that sets a variable to the first of COUNT free ports in a row. */
export const CHOOSE_PORT = `chosen=' '
# choose_port NAME FIRST COUNT: sets NAME, unless it is set, to the first of COUNT free ports in a row from FIRST on.
choose_port() {
  local port=\${!1:-$2} at
  if [[ -z \${!1:-} ]]; then
    for ((at = 0; at < $3; at++)); do
      ((port + $3 <= 65536)) || { echo "no $3 free ports in a row from $2 on" >&2; exit 1; }
      if [[ $chosen == *" $((port + at)) "* ]] || (: <"/dev/tcp/127.0.0.1/$((port + at))") 2>/dev/null; then
        port=$((port + at + 1)) at=-1
      fi
    done
  fi
  for ((at = 0; at < $3; at++)); do chosen+="$((port + at)) "; done
  export "$1=$port"
}`;

/** The calls of choose_port. First those for variables that are set, whatever their order, so that no other gets their ports. */
export function portCalls(variables: readonly PortVariable[]): readonly string[] {
  const calls = variables.map(({ name, first, count }) => ({ name, call: `choose_port ${name} ${first} ${count}` }));
  const ofSet = calls.map(({ name, call }) => `[[ -z \${${name}:-} ]] || ${call}`);
  return [...(calls.length > 1 ? ofSet : []), ...calls.map(({ call }) => call)];
}
