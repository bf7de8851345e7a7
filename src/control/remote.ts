// Connects a client to a supervisor on another machine: parses the URL of its TCP listener, or of a proxy in front of it, and
// opens connections over TCP or TLS. Sends no request: client.ts does. Loaded only if a URL is given.
import { connect, isIP } from 'node:net';
import type { Dial, SupervisorListener } from './client.ts';
import type { SupervisorConnection } from './exchange.ts';

interface Address {
  /** Without a slash at the end. */
  readonly url: string;
  /** An IPv6 address has no brackets here. */
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** The value of the `Host` header. */
  readonly authority: string;
  /** What comes before the path of each request; `` for none. */
  readonly prefix: string;
}

const WANTED = 'write http://HOST:PORT, or https://HOST for a proxy with TLS';

/** Parses a URL. `why`: what is wrong with it; follows the URL in a message. */
export function parseAddress(
  text: string,
): { readonly ok: true; readonly address: Address } | { readonly ok: false; readonly why: string } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:\/\/./i.test(text))
    return { ok: false, why: `is not the URL of a supervisor: ${WANTED}` };
  if (url.username !== '' || url.password !== '')
    return { ok: false, why: 'contains a user: give the token with --token or $SVC_SUPER_TOKEN' };
  if (url.search !== '' || url.hash !== '') return { ok: false, why: `has more than a path: ${WANTED}` };
  const isSecure = url.protocol === 'https:';
  const prefix = url.pathname.replace(/\/+$/, '');
  return {
    ok: true,
    address: {
      url: `${url.origin}${prefix}`,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (isSecure ? 443 : 80),
      isSecure,
      authority: url.host,
      prefix,
    },
  };
}

/** How to connect to an address. `authorities`: certificate authorities to trust (PEM); null: those that the runtime has. */
export function dialRemote(address: Address, token: string | null, authorities: string | null): Dial {
  const { url, authority, prefix } = address;
  return {
    ok: true,
    path: url,
    open: (listener) => openRemote(address, authorities, listener),
    remote: { authority, prefix, token },
  };
}

/** How long a connection is silent before TCP probes it, milliseconds: `logs --follow` must notice a host that is gone. */
const KEEP_ALIVE_AFTER = 15_000;

/** Resolves to the connection when it is established, and rejects if that fails. The client limits the time (client.ts). */
async function openRemote(
  { host, port, isSecure }: Address,
  authorities: string | null,
  listener: SupervisorListener,
): Promise<SupervisorConnection> {
  const tls = isSecure ? await import('node:tls') : null;
  return new Promise((resolve, reject) => {
    const trusted = authorities === null ? {} : { ca: authorities };
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls === null ? connect({ host, port }) : tls.connect({ host, port, ...name, ...trusted });
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      socket.setKeepAlive(true, KEEP_ALIVE_AFTER);
      resolve({ write: (bytes) => void socket.write(bytes), close: () => socket.destroy() });
    });
    socket.on('data', (bytes: Buffer) => listener.data(bytes));
    socket.on('error', reject);
    socket.once('close', () => listener.closed());
  });
}
