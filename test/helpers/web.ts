// Web servers inside the test process for HTTP probes: over TCP, a unix socket or TLS. A test sets or delays the responses, and
// sees the requests. The key below only signs a certificate for 127.0.0.1 in tests.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { until } from './rig.ts';

export interface RequestResult {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Reply {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns the response to a request; a promise delays it, null closes the connection without one. */
export type Answering = (asked: RequestResult) => Reply | null | Promise<Reply | null>;

export class Web {
  /** All requests so far. */
  readonly asked: RequestResult[] = [];
  answer: Answering;
  readonly #server: Server;

  private constructor(server: Server, answer: Answering) {
    this.#server = server;
    this.answer = answer;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response));
  }

  /** `where`: a path for a unix socket; default: a free port of 127.0.0.1. */
  static async serve(answer: Answering, where: { readonly path?: string; readonly tls?: boolean } = {}): Promise<Web> {
    const server = where.tls === true ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }) : createServer();
    const web = new Web(server as Server, answer);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (where.path === undefined) server.listen(0, '127.0.0.1', resolve);
      else server.listen(where.path, resolve);
    });
    return web;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('this server has no port');
    return address.port;
  }

  /** Waits until `count` more requests have arrived. */
  async asks(count: number): Promise<void> {
    const before = this.asked.length;
    await until(`${count} requests`, () => this.asked.length >= before + count);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.asked.push(asked);
    const reply = await this.answer(asked);
    if (reply === null) {
      request.socket.destroy();
      return;
    }
    const { status = 200, body = '', headers = {} } = reply;
    response.writeHead(status, { connection: 'close', ...headers });
    response.end(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const TLS_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPV8uxruSL9x4tfGI
XoKYIcn7wooWBYgkYiOLdsLQmFmhRANCAATO7uVD1yALz7h5i6YBYq29u6n2gTew
7fCDBM/Y0RImcs5XC8pB9n2vZimxEdJH+9nc0dronYLN4B70gkXZPho6
-----END PRIVATE KEY-----
`;

/** Self-signed, for 127.0.0.1, until 2126. */
const TLS_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmTCCAUCgAwIBAgIUWoNsY5edhdBIeo7fyfG7rfrlEz8wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOc3ZjLXN1cGVyIHRlc3QwIBcNMjYxMTIwMTYzMjIwWhgPMjEy
NjEwMjcxNjMyMjBaMBkxFzAVBgNVBAMMDnN2Yy1zdXBlciB0ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEzu7lQ9cgC8+4eYumAWKtvbup9oE3sO3wgwTP2NES
JnLOVwvKQfZ9r2YpsRHSR/vZ3NHa6J2CzeAe9IJF2T4aOqNkMGIwHQYDVR0OBBYE
FIPoWtKOjv9r8CWZJCG4lCfa5sBQMB8GA1UdIwQYMBaAFIPoWtKOjv9r8CWZJCG4
lCfa5sBQMA8GA1UdEwEB/wQFMAMBAf8wDwYDVR0RBAgwBocEfwAAATAKBggqhkjO
PQQDAgNHADBEAiBHV0a4FzRhk/3R6FL4ml2hUTpQEnq62KUQmle4nUvZSQIgfaaG
tvyPF7SK9LOYpLL1BgFZ1KpKWydtsEtKo5Yglkw=
-----END CERTIFICATE-----
`;
