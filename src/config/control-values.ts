// `control`: where the control API listens besides its unix socket, who may use it, and what needs no token. A listener
// beyond the loopback without a token is refused here. Opens no file and no socket.
import { type Complete, complete, defaulted, field, type Given, object, required } from './field.ts';
import { ownPath } from './file-values.ts';
import { INVALID, mismatch } from './reading.ts';
import { byKind, INTERPOLATED, listOf, refined, type Shape, text, whole, word } from './shape.ts';

export interface Listen {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
}

const PORT = whole('a port', 1, 65535);
const LISTEN_WANTED = 'an address and a port (`127.0.0.1:9100`), or a port of 127.0.0.1';

/** `127.0.0.1:9100`, `[::1]:9100`, `localhost:9100`, `:9100` for every IPv4 address (`[::]:9100` for all), `9100` for the loopback. */
export function listen(): Shape<Listen> {
  const written = refined(
    text({ wanted: LISTEN_WANTED, loose: true }),
    (given, node, name, reading): Listen | typeof INVALID => {
      const address = parseListen(given);
      return address ?? mismatch(node, name, LISTEN_WANTED, reading);
    },
  );
  return {
    wanted: LISTEN_WANTED,
    schema: () => ({ anyOf: [PORT.schema(), { type: 'string', pattern: '^(.*:)?\\d+$' }, INTERPOLATED] }),
    read: (node, name, reading) => written.read(node, name, reading),
  };
}

/** Host names are not resolved: a lookup can hang, and its result can change. */
function parseListen(given: string): Listen | null {
  const [, host = '', digits = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(given) ?? [];
  const port = Number(digits);
  if (digits === '' || port < 1 || port > 65535) return null;
  if (host === '' || host === '*') return { host: given.includes(':') ? '0.0.0.0' : '127.0.0.1', port };
  if (host.toLowerCase() === 'localhost') return { host: '127.0.0.1', port };
  if (isIpv4(host)) return { host, port };
  const inner = /^\[([\da-fA-F:.]+)\]$/.exec(host)?.[1];
  const address = inner === undefined ? null : toIpv6(inner);
  return address === null ? null : { host: address, port };
}

function isIpv4(host: string): boolean {
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function toIpv6(inner: string): string | null {
  try {
    return new URL(`http://[${inner}]`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}

/** Whether an address can be reached only from within this machine or container. */
export function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host) || /^::ffff:7f[\da-f]{2}:/.test(host);
}

export const TOKEN_FILE = {
  file: required(ownPath, 'the file whose text, without its last newline, is the token; never shown'),
} as const;

/** What an HTTP header can carry; RFC 6750 allows no more. */
export const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
export const TOKEN_RULE = 'letters, digits and `-._~+/` without spaces, and `=` only at its end';

const TOKEN_WANTED = 'a text, or `{file: path}`';

/** The token itself, or the path of its file. */
export type Token = { readonly text: string } | { readonly file: string };

const token: Shape<Token> = byKind<Token, never, Token>(TOKEN_WANTED, {
  scalar: refined(text({ wanted: TOKEN_WANTED, loose: true }), (given, node, name, reading) =>
    TOKEN.test(given)
      ? { text: given }
      : reading.report(node, 'wrong-value', `${name} is not a valid token: a token is ${TOKEN_RULE}`),
  ),
  map: refined(object(TOKEN_FILE, { owner: '`token`' }), (given) => {
    const { file } = complete(TOKEN_FILE, given);
    return file === null ? INVALID : { file };
  }),
});

const OPEN = ['healthz', 'readyz', 'metrics'] as const;

export const HTTP_CONTROL = {
  listen: defaulted(listen(), 'address and port; beyond the loopback only with a `token`', '127.0.0.1:9100'),
  token: field(
    token,
    'the token that a client sends as `Authorization: Bearer …`: a text, usually with a variable, or `{file: /run/secrets/token}`',
    'none',
  ),
  open: defaulted(
    listOf(word(...OPEN), { wanted: 'a list of `healthz`, `readyz`, `metrics`' }),
    'which of `/healthz`, `/readyz`, `/metrics` need no token: `[healthz, readyz, metrics]`',
    [],
  ),
  hosts: defaulted(
    listOf(text({ wanted: 'a host name', pattern: /^[A-Za-z0-9._-]+$/ }), { wanted: 'a list of host names' }),
    'host names that clients may use besides its address and `localhost`, such as that of a reverse proxy',
    [],
  ),
} as const;

export type HttpControl = Complete<typeof HTTP_CONTROL>;

const http: Shape<Given<typeof HTTP_CONTROL>> = refined(
  object(HTTP_CONTROL, { owner: '`http`' }),
  (given, node, _name, reading) => {
    const { host } = complete(HTTP_CONTROL, given).listen;
    if (isLoopback(host) || node.kind !== 'map' || node.entries.has('token')) return given;
    const at = node.entries.get('listen')?.node ?? node;
    const message = `without a \`token\` everyone who can reach ${host} could read the API: a \`token\` is required beyond the loopback`;
    return reading.report(at, 'open-control', message, {
      suggestion: 'add `token: {file: …}`, or listen on 127.0.0.1; `open` lists endpoints that need no token',
    });
  },
);

export const CONTROL = {
  http: field(http, 'the API, the dashboard, `/metrics`, `/healthz` and `/readyz` over TCP', 'none'),
} as const;
