// A supervisor on another machine, as a client reaches it: the URL of its TCP listener, or of a proxy before it, and
// connections over TCP and TLS. Sends nothing: client.ts does. Loaded only if a URL is given.
import { connect, isIP } from 'node:net';
import type { Dial, SupervisorListener } from './client.ts';
import type { SupervisorConnection } from './exchange.ts';

interface Address {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  readonly authority: string;
  readonly prefix: string;
}

const WANTED = 'write http://HOST:PORT, or https://HOST for a proxy with TLS';

/** The address of a URL, or what is wrong with it. */
export function parseAddress(
  text: string,
): { readonly ok: true; readonly address: Address } | { ok: false; why: string } {
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

/** How to connect to that address. `authorities`: certificates (PEM) to trust instead of the usual ones; null: the usual ones. */
export function dialRemote(address: Address, token: string | null, authorities: string | null): Dial {
  const { url, authority, prefix } = address;
  return {
    ok: true,
    path: url,
    open: (listener) => openRemote(address, authorities, listener),
    remote: { authority, prefix, token },
  };
}

/** Time until a silent connection is probed, so that a follower notices a host that is gone. Milliseconds. */
const KEEP_ALIVE_AFTER = 15_000;

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
