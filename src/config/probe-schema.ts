// The tables of probes: their kinds, their common options, and which options are valid where. Runs no probe and fills in no
// port, because the service of a probe is not available here.
import { command } from './command.ts';
import { type Complete, complete, defaulted, field, type Given, isUnderstood, object, required } from './field.ts';
import { host, httpUrl, notifyTarget, pattern, status, target, tcpTarget } from './probe-values.ts';
import { INVALID, inFlow, mismatch, type Reading } from './reading.ts';
import { anything, byKind, duration, flag, listOf, mapOf, refined, type Shape, text, whole, word } from './shape.ts';
import type { MapNode, Node, Span } from './tree.ts';

const path = text({ wanted: 'a path' });
const port = whole('a port', 1, 65535);

export const HTTP_JSON = {
  path: required(
    text({ wanted: 'a dotted path' }),
    'the place in the response: keys and indexes separated by dots, `data.0.id`',
  ),
  equals: field(anything(), 'the required value', 'any value'),
} as const;

export const HTTP = {
  url: field(httpUrl(), 'scheme, host, port and path in one, or a path', 'made of the other fields'),
  scheme: defaulted(word('http', 'https'), '`http` or `https`', 'http'),
  host: defaulted(host(), 'a literal IP address; `localhost` means 127.0.0.1', '127.0.0.1'),
  port: field(port, 'the port to connect to', "the service's first port"),
  path: defaulted(target(), 'path and query', '/'),
  socket: field(
    text({ wanted: 'an absolute path', pattern: /^\// }),
    'absolute path of a unix socket to connect to',
    'TCP to host and port',
  ),
  method: defaulted(text({ wanted: 'a method in capitals', pattern: /^[A-Z]{1,20}$/ }), 'in capitals', 'GET'),
  headers: defaulted(
    mapOf(
      { pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, wanted: 'a name of a header' },
      text({ loose: true, empty: true, wanted: 'a text on one line', pattern: /^[^\r\n]*$/ }),
      'a map of headers',
    ),
    'headers to send',
    {},
  ),
  body: field(text({ empty: true }), 'text to send'),
  status: defaulted(status(), '`200`, `[200, 204]`, `"200-399"`', '200-399'),
  contains: field(text(), 'a text that the response must contain'),
  matches: field(pattern(), 'a regular expression that the response must match'),
  not_matches: field(pattern(), 'a regular expression that the response must not match'),
  json: field(object(HTTP_JSON, { owner: '`json`' }), 'a value that the response, parsed as JSON, must contain'),
  verify_tls: defaulted(flag(), 'whether the certificate must be valid', true),
} as const;

/** An http probe with its defaults; a null `port` is the service's port. */
export type HttpTarget = Omit<Complete<typeof HTTP>, 'url'>;

const URL_PARTS = ['scheme', 'host', 'port', 'path', 'socket'] as const;

const httpTarget: Shape<HttpTarget> = byKind('a URL, a path, or a map', {
  scalar: refined(httpUrl(), (parts): HttpTarget => ({ ...complete(HTTP, {}), ...parts })),
  map: refined(
    object(HTTP, { owner: 'an `http` probe', elsewhere: { timeout: 'write `timeout` beside `http`, not in it' } }),
    (given, node, _name, reading): HttpTarget => {
      const extra = given.url === undefined ? [] : URL_PARTS.filter((key) => given[key] !== undefined);
      // Only a path has no port.
      const isPath = given.url?.port === null;
      for (const key of extra) {
        const at = node.kind === 'map' ? node.entries.get(key)?.keySpan : undefined;
        const [message, suggestion] =
          isPath && key !== 'path'
            ? [`\`url\` cannot be a path where there is a ${key}`, 'write `path` in place of `url`']
            : [`\`url\` already says the ${key}`, `remove \`${key}\`, or write \`url\` as its parts`];
        reading.report(at ?? node, 'contradiction', message, { suggestion });
      }
      const { url, ...rest } = complete(HTTP, given);
      return { ...rest, ...url, port: url?.port ?? rest.port };
    },
  ),
});

export const NOTIFY = {
  fd: field(whole('a descriptor', 3, 255), 'descriptor on which the service writes a newline (s6)', '`NOTIFY_SOCKET`'),
} as const;

export const TCP = {
  socket: field(
    text({ wanted: 'an absolute path', pattern: /^\// }),
    'absolute path of a unix socket (`SOCK_STREAM`) to connect to instead of a port',
    'required',
  ),
} as const;

export const PROBE = {
  http: field(httpTarget, 'a URL, a path (`/health`), or a map: holds when the response is as required'),
  tcp: field(
    tcpTarget(
      object(TCP, {
        owner: 'a `tcp` probe',
        elsewhere: { port: 'write `tcp: 8080`', host: 'write `tcp: "127.0.0.1:8080"`' },
      }),
    ),
    "a port, `host:port`, `true` for the service's own, or `{socket: /run/x.sock}`: holds when a connection is accepted",
  ),
  exec: field(command(), 'a command: holds when it exits with 0. The shell expands variables in the text form'),
  log: field(pattern(), 'a regular expression: holds when a line of output since this start matches it'),
  file: field(path, "a path, relative to the service's `cwd`: holds when it exists"),
  notify: field(
    notifyTarget(object(NOTIFY, { owner: '`notify`' })),
    '`true`: `READY=1` on the socket named in `NOTIFY_SOCKET` (sd_notify); `{fd: 3}`: a newline there (s6)',
  ),
  timeout: defaulted(duration(1), 'time limit of one attempt', '5s'),
  interval: defaulted(duration(10), 'how often it runs once the service is ready', '10s'),
  start_interval: field(
    duration(10),
    'the pause after an attempt during the start; only in `ready`',
    'grows with the time since the start, from `20ms` to `1s`',
  ),
  successes: defaulted(whole('a number', 1, 1000), 'how many successful attempts in a row make the probe hold', 1),
  failures: defaulted(
    whole('a number', 1, 1000),
    'how many failed attempts in a row make the probe fail; only in `live`',
    3,
  ),
  continuous: defaulted(
    flag(),
    'continue after ready, every `interval`, and mark the service `unready` while the probe fails; only in `ready`',
    false,
  ),
} as const;

/** A probe has exactly one of these keys. */
export const PROBE_KINDS = ['http', 'tcp', 'exec', 'log', 'file', 'notify'] as const;
export type ProbeConfig = Given<typeof PROBE>;

const PROBE_ELSEWHERE = {
  retries: 'in `live` it is called `failures`',
  start_period: 'it is called `start_timeout`, in the service',
  startInterval: 'it is called `start_interval`',
  http_get: 'it is called `http`',
  httpGet: 'it is called `http`',
  tcpSocket: 'it is called `tcp`',
  test: 'it is called `exec`',
  cmd: 'it is called `exec`',
  command: 'it is called `exec`',
  period: 'it is called `interval`',
  period_seconds: 'it is called `interval`',
  periodSeconds: 'it is called `interval`',
  timeoutSeconds: 'it is called `timeout`',
  failureThreshold: 'it is called `failures`',
  successThreshold: 'it is called `successes`',
} as const;

/** Suggests the map that a scalar probably means: `8080`, `/health`, a URL, the name of a kind, a command. */
function meantProbe(node: Node): string | undefined {
  if (node.kind !== 'scalar' || node.value === null) return undefined;
  const { text: written } = node;
  const kind = PROBE_KINDS.find((one) => one === written.toLowerCase());
  if (kind !== undefined) return `did you mean \`{${kind}: ${EXAMPLES[kind]}}\`?`;
  if (/^\d+$|^[\w.:[\]-]+:\d+$/.test(written)) return `did you mean \`{tcp: ${inFlow(written)}}\`?`;
  if (/^\/\S*\.sock(?:et)?$/.test(written)) return `did you mean \`{tcp: {socket: ${inFlow(written)}}}\`?`;
  if (/^https?:\/\/|^\/\S*$/i.test(written)) return `did you mean \`{http: ${inFlow(written)}}\`?`;
  if (/^(?:true|yes|on|port)$/i.test(written)) return "did you mean `{tcp: true}`, the service's own port?";
  if (/^(?:false|no|off|none|never)$/i.test(written)) return 'remove the key: there is no probe by default';
  if (/\s/.test(written)) return `did you mean \`{exec: ${inFlow(written)}}\`?`;
  return `a probe is a map with one of ${PROBE_KINDS.map((one) => `\`${one}\``).join(', ')}`;
}

const EXAMPLES: Readonly<Record<(typeof PROBE_KINDS)[number], string>> = {
  http: '/health',
  tcp: 'true',
  exec: 'COMMAND',
  log: 'PATTERN',
  file: 'PATH',
  notify: 'true',
};

const keyOf = (node: MapNode, key: string): Span => node.entries.get(key)?.keySpan ?? node;

/** Reports fields and kinds that are not valid in `ready` or in `live`. */
function checkRole(
  role: 'ready' | 'live',
  kind: (typeof PROBE_KINDS)[number],
  given: ProbeConfig,
  node: MapNode,
  reading: Reading,
): void {
  const at = (key: string): Span => keyOf(node, key);
  const latched = kind === 'log' || kind === 'notify';
  const why = `a \`${kind}\` probe stays true once it has succeeded, so it could never fail`;
  if (role === 'live' && latched) {
    reading.report(at(kind), 'impossible-value', `\`${kind}\` cannot be a \`live\` probe: ${why}`);
  }
  if (role === 'live' && node.entries.has('continuous')) {
    reading.report(
      at('continuous'),
      'impossible-value',
      '`continuous` is for `ready`: a `live` probe always continues',
    );
  }
  if (role === 'ready' && given.continuous === true && latched) {
    reading.report(at('continuous'), 'impossible-value', `\`${kind}\` cannot be \`continuous\`: ${why}`);
  }
  if (role === 'ready' && node.entries.has('failures')) {
    const suggestion = 'a probe that restarts the service when it fails belongs in `live`';
    reading.report(at('failures'), 'impossible-value', '`failures` is for `live` probes only', { suggestion });
  }
  if (node.entries.has('start_interval') && (role === 'live' || latched)) {
    const message =
      role === 'live'
        ? '`start_interval` is for `ready`: a `live` probe runs every `interval`, once the service is ready'
        : `\`start_interval\` has no effect: a \`${kind}\` probe waits for an event and makes no attempts`;
    reading.report(at('start_interval'), 'impossible-value', message, { suggestion: 'remove it' });
  }
}

/** A probe or a list of probes, as `ready` or as `live`. */
export function probes(role: 'ready' | 'live'): Shape<readonly ProbeConfig[]> {
  const probe = refined(
    object(PROBE, { owner: 'a probe', elsewhere: PROBE_ELSEWHERE, advise: meantProbe }),
    (given, node, _name, reading): ProbeConfig | typeof INVALID => {
      if (node.kind !== 'map') return INVALID;
      const at = (key: string): Span => keyOf(node, key);
      const kinds = PROBE_KINDS.filter((kind) => node.entries.has(kind));
      const [kind] = kinds;
      if (kind === undefined) {
        if (!isUnderstood(node, given)) return INVALID;
        const listed = PROBE_KINDS.map((one) => `\`${one}\``).join(', ');
        return reading.report(node, 'missing-key', `a probe must have one of ${listed}`);
      }
      for (const other of kinds.slice(1)) {
        reading.report(at(other), 'contradiction', `a probe must have one kind, and this one already has \`${kind}\``, {
          suggestion: 'write a list of probes: all must hold',
          related: [{ message: `\`${kind}\` is here`, span: at(kind) }],
        });
      }
      checkRole(role, kind, given, node, reading);
      return given;
    },
    () => ({ $ref: '#/definitions/probe' }),
  );
  const wanted = 'a probe (a map), or a list of probes';
  const refused: Shape<never> = {
    wanted,
    schema: () => ({ not: {} }),
    read: (node, name, reading) => mismatch(node, name, wanted, reading, meantProbe(node)),
  };
  return byKind<never, readonly ProbeConfig[], readonly ProbeConfig[]>(wanted, {
    scalar: refused,
    list: listOf(probe, { wanted: 'a list of probes', least: 1 }),
    map: refined(
      probe,
      (one) => [one],
      () => probe.schema(),
    ),
  });
}

/** The table of a probe as one shape, for the JSON Schema. */
export const probeShape = object(PROBE, { owner: 'a probe' });
