// An HTTP server on the loopback interface for a test. Knows no content.

export interface Served extends Disposable {
  readonly url: string;
  stop(): void;
}

/** `answer` gets the decoded path of each request; null is 404. */
export function serveLocally(answer: (path: string) => Response | null | Promise<Response | null>): Served {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async ({ url }) =>
      (await answer(decodeURIComponent(new URL(url).pathname))) ?? new Response('not found', { status: 404 }),
  });
  const stop = () => void server.stop(true);
  return { url: `http://127.0.0.1:${server.port}`, stop, [Symbol.dispose]: stop };
}
