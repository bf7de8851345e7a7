// The client of the control API against a supervisor that dies at every point of a response: which requests are repeated, for
// how long, and how streams continue. Connections and time are simulated.
import { describe, expect, test } from 'bun:test';
import {
  type ClientRequest,
  type Dial,
  type SupervisorListener,
  sendRequest,
  streamRequest,
} from '../../src/control/client.ts';
import { ResponseParser } from '../../src/control/response.ts';

/** The fate of one connection. */
type Step =
  | { readonly refused: string }
  /** The bytes of the response; then the connection stays open, or is closed. */
  | { readonly text: string; readonly closes?: true }
  | 'silent';

const json = (body: object, status = 200) => {
  const text = JSON.stringify(body);
  return `HTTP/1.1 ${status} -\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
};
const HEAD = 'HTTP/1.1 200 -\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (line: object) => {
  const text = `${JSON.stringify(line)}\n`;
  return `${text.length.toString(16)}\r\n${text}\r\n`;
};
const END = '0\r\n\r\n';
const GONE: Step = { refused: 'ECONNREFUSED' };

class Simulation {
  now = 0;
  readonly requests: string[] = [];
  readonly #steps: Step[];
  readonly #timers: { at: number; fn: () => void }[] = [];

  constructor(...steps: readonly Step[]) {
    this.#steps = [...steps];
  }

  readonly after = (ms: number, fn: () => void) => {
    const timer = { at: this.now + ms, fn };
    this.#timers.push(timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  };

  readonly dial: Extract<Dial, { ok: true }> = {
    ok: true,
    path: '/run/x.sock',
    remote: null,
    open: async (listener: SupervisorListener) => {
      const step = this.#steps.length > 1 ? this.#steps.shift() : this.#steps[0];
      if (step !== undefined && step !== 'silent' && 'refused' in step)
        throw Object.assign(new Error(step.refused), { code: step.refused });
      return {
        write: (bytes: Uint8Array) => {
          this.requests.push(Buffer.from(bytes).toString());
          if (step === undefined || step === 'silent') return;
          if (step.text !== '') listener.data(Buffer.from(step.text));
          if (step.closes === true) listener.closed();
        },
        close: () => undefined,
      };
    },
  };

  /** Lets timers fire, in order, until the promise is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    void promise.finally(() => {
      isOver = true;
    });
    for (let round = 0; round < 10_000; round += 1) {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      if (isOver) return promise;
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined) throw new Error('it waits for nothing');
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.fn();
    }
    throw new Error('it does not end');
  }

  /** The same over TCP. */
  askRemote(request: ClientRequest = { path: '/v1/health' }, token: string | null = 'secret') {
    const remote = { authority: 'gpu.example:9100', prefix: '/box', token };
    const dial = { ...this.dial, path: 'http://gpu.example:9100/box', remote };
    return this.settle(sendRequest(dial, request, this.after));
  }

  sendRequest(question: ClientRequest = { path: '/v1/health' }) {
    return this.settle(sendRequest(this.dial, question, this.after));
  }
}

const BROKEN: Step = { text: '', closes: true };
const late = (text: string) => ({ ok: false as const, looked: [`/run/x.sock: ${text}`] });
const TOO_LATE = 'the supervisor ended before it responded, and no other one responded within 2 s';

describe('one response', () => {
  const whole = json({ healthy: true });
  test.each([0, 10, whole.length - 3])('is requested again when the connection breaks after %d bytes', async (size) => {
    const at = new Simulation({ text: whole.slice(0, size), closes: true }, { text: whole });
    expect(await at.sendRequest()).toEqual({ ok: true, status: 200, body: { healthy: true } });
    expect(at.requests).toHaveLength(2);
  });

  test('may have a head of HTTP/1.0 that arrives in pieces', async () => {
    const old = whole.replace('HTTP/1.1', 'HTTP/1.0');
    let body = '';
    const take = (bytes: Uint8Array) => {
      body += Buffer.from(bytes).toString();
    };
    const parser = new ResponseParser({ begin: () => undefined, take });
    for (const byte of Buffer.from(old)) parser.push(Buffer.of(byte));
    expect([parser.status, parser.isDone, JSON.parse(body)]).toEqual([200, true, { healthy: true }]);
  });

  test('is awaited for 2 s in all from the first break on', async () => {
    const crashing = new Simulation(BROKEN);
    expect(await crashing.sendRequest()).toEqual({ ...late(TOO_LATE), isAway: true });
    expect(crashing.now).toBe(2_000);
    const absent = new Simulation(BROKEN, BROKEN, 'silent');
    expect(await absent.sendRequest()).toEqual({ ...late(TOO_LATE), isAway: true });
    expect(absent.now).toBe(2_000);
    for (const refused of ['EAGAIN', 'ECONNRESET', 'EPIPE']) {
      const at = new Simulation({ refused }, { refused }, { text: whole });
      expect(await at.sendRequest()).toMatchObject({ ok: true });
    }
  });

  test('is awaited for 5 s without a break', async () => {
    for (const text of ['', whole.slice(0, -1)]) {
      const at = new Simulation({ text });
      expect(await at.sendRequest()).toEqual({ ...late('it has not responded within 5 s'), isAway: true });
      expect([at.now, at.requests.length]).toEqual([5_000, 1]);
    }
  });

  test('fails at once if no process listens any more, or a process that is not a supervisor', async () => {
    const ended = new Simulation(BROKEN, GONE);
    expect(await ended.sendRequest()).toEqual(late('no process listens there'));
    expect(ended.now).toBeLessThan(100);
    expect(await new Simulation({ text: 'SSH-2.0' }).sendRequest()).toEqual(
      late('the process that responds there is not a supervisor'),
    );
  });

  test('of a POST is requested again with the same key, and a failure leaves its effect open', async () => {
    const post: ClientRequest = { method: 'POST', path: '/v1/restart', body: { all: true }, key: 'k' };
    const at = new Simulation(BROKEN, { text: json({}, 202) });
    expect(await at.sendRequest(post)).toMatchObject({ ok: true, status: 202 });
    expect(at.requests.map((text) => /^Idempotency-Key: (.*)\r$/m.exec(text)?.[1])).toEqual(['k', 'k']);
    expect(await new Simulation('silent').sendRequest(post)).toMatchObject({
      looked: ['/run/x.sock: it has not responded within 5 s; the request may still take effect'],
    });
  });
});

describe('a stream', () => {
  const [one, two, three] = [chunk({ n: 1 }), chunk({ n: 2 }), chunk({ n: 3 })];
  const followed = async (at: Simulation, given: Partial<Parameters<typeof streamRequest>[3]> = {}) => {
    const seen: unknown[] = [];
    const streaming = {
      take: (line: unknown) => void seen.push(line),
      resume: () => ({ path: '/v1/events?after=1' }),
      resumed: () => void seen.push('resumed'),
      delayed: () => void seen.push(`delayed ${at.now}`),
      ...given,
    };
    const result = await at.settle(streamRequest(at.dial, { path: '/v1/events' }, at.after, streaming));
    return { seen, result };
  };

  test('continues with the resuming request, and reports the successor', async () => {
    const at = new Simulation(
      { text: `${HEAD}${one}`, closes: true },
      BROKEN,
      { text: `${HEAD}${two}`, closes: true },
      { text: `${HEAD}${three}${END}` },
    );
    const { seen, result } = await followed(at);
    expect(seen).toEqual([{ n: 1 }, 'resumed', { n: 2 }, 'resumed', { n: 3 }]);
    expect(result).toEqual({ ok: true, status: 200, body: null, whole: true });
    expect(at.requests.map((text) => text.split(' ')[1])).toEqual([
      '/v1/events',
      ...Array<string>(3).fill('/v1/events?after=1'),
    ]);
  });

  test('that follows waits as long as a process listens, and reports a delay once', async () => {
    const breaks = Array<Step>(300).fill(BROKEN);
    const at = new Simulation({ text: `${HEAD}${one}`, closes: true }, ...breaks, GONE);
    const { seen, result } = await followed(at);
    expect(seen).toEqual([{ n: 1 }, 'delayed 2000']);
    expect(at.now).toBeGreaterThan(5_000);
    expect(result).toMatchObject({ ok: true, whole: false });
  });

  test('ends without a message if no process listens any more', async () => {
    const { seen, result } = await followed(new Simulation({ text: `${HEAD}${one}`, closes: true }, GONE));
    expect(seen).toEqual([{ n: 1 }]);
    expect(result).toEqual({ ok: true, status: 200, body: null, whole: false });
  });

  test('that is finite waits 2 s after each break', async () => {
    const at = new Simulation(
      { text: `${HEAD}${one}`, closes: true },
      { text: `${HEAD}${two}`, closes: true },
      'silent',
    );
    const { seen, result } = await followed(at, { kind: 'finite' });
    expect(seen).toEqual([{ n: 1 }, 'resumed', { n: 2 }]);
    expect(result).toMatchObject({ ok: true, whole: false });
    expect(at.now).toBeLessThan(2_100);
  });

  test('whose request must not be repeated is not repeated', async () => {
    const begun = new Simulation({ text: `${HEAD}${one}`, closes: true });
    expect((await followed(begun, { kind: 'once' })).result).toMatchObject({ ok: true, whole: false });
    const before = new Simulation(BROKEN);
    expect((await followed(before, { kind: 'once' })).result).toMatchObject({
      ok: false,
      looked: ['/run/x.sock: the supervisor ended before it responded'],
    });
    expect([begun.requests.length, before.requests.length]).toEqual([1, 1]);
  });

  test('that has not begun waits like a single response', async () => {
    const at = new Simulation(BROKEN);
    expect((await followed(at)).result).toMatchObject({ ok: false, isAway: true });
    expect(at.now).toBe(2_000);
    const silent = new Simulation('silent');
    await followed(silent);
    expect(silent.now).toBe(5_000);
  });

  test('is ended by its signal', async () => {
    const at = new Simulation({ text: `${HEAD}${one}` });
    const abort = new AbortController();
    at.after(60_000, () => abort.abort());
    expect((await followed(at, { abort: abort.signal })).result).toMatchObject({ ok: true, whole: false });
    expect(at.now).toBe(60_000);
  });
});

describe('over TCP', () => {
  const marked = (body: object, status = 200) => json(body, status).replace('\r\n', '\r\nSvc-Super-Api: v1\r\n');
  const url = 'http://gpu.example:9100/box';

  test('a request has the host, the path and the token of the URL', async () => {
    const at = new Simulation({ text: marked({ healthy: true }) });
    expect(await at.askRemote()).toEqual({ ok: true, status: 200, body: { healthy: true } });
    const [request] = at.requests;
    expect(request).toStartWith('GET /box/v1/health HTTP/1.1\r\nHost: gpu.example:9100\r\n');
    expect(request).toContain('\r\nAuthorization: Bearer secret\r\n');
  });

  test('a refused token, a missing one and a refused host are no answer of the command', async () => {
    const refusal = (status: number, error: string) => new Simulation({ text: marked({ error }, status) });
    const wanted = 'give that of `control.http.token` in its configuration, with --token or $SVC_SUPER_TOKEN';
    const refused = (why: string) => ({ ok: false as const, looked: [], refused: `${url}: ${why}` });
    expect(await refusal(401, 'x').askRemote()).toEqual(refused(`it refuses the token: ${wanted}`));
    expect(await refusal(401, 'x').askRemote({ path: '/' }, null)).toEqual(refused(`it requires a token: ${wanted}`));
    expect(await refusal(403, 'the Host header').askRemote()).toEqual(refused('the Host header'));
    // A listener without a token refuses every change: the command reports that.
    const post: ClientRequest = { method: 'POST', path: '/v1/stop' };
    expect(await refusal(403, 'read-only').askRemote(post)).toMatchObject({ ok: true, status: 403 });
  });

  test.each([
    ['another HTTP server', json({ services: [] }), ' (HTTP 200)'],
    ['no HTTP server', 'SSH-2.0-OpenSSH_9.6\r\n', ''],
  ])('%s is recognized', async (_, text, how) => {
    const found = await new Simulation({ text }).askRemote();
    const what = 'the process that responds there is not a supervisor';
    const looked = [`${url}: ${what}${how}: check scheme, host, port and path of the URL`];
    expect(found).toEqual({ ok: false, looked });
  });

  test('a response that is cut short or is no JSON is not that of a supervisor, to a request for a stream too', async () => {
    const what = { ok: false as const, looked: [expect.stringContaining('is not a supervisor (HTTP 200): check')] };
    const cut =
      'HTTP/1.1 200 -\r\nContent-Type: application/json\r\nSvc-Super-Api: v1\r\nConnection: close\r\n\r\n{"a":';
    const page = 'HTTP/1.1 200 -\r\nContent-Type: text/html\r\nSvc-Super-Api: v1\r\nContent-Length: 6\r\n\r\n<html>';
    for (const step of [{ text: cut, closes: true } as const, { text: page }]) {
      expect(await new Simulation(step).askRemote()).toEqual(what);
      expect((await followed(new Simulation(step))).result).toEqual(what);
    }
  });

  test.each([
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another host name: use the name in the certificate'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired: renew it, or set the clock of this machine'],
    ['CERT_NOT_YET_VALID', 'its certificate is not valid yet: renew it, or set the clock of this machine'],
  ])('a certificate that trust does not help: %s', async (refused, why) => {
    expect(await new Simulation({ refused }).askRemote()).toEqual({ ok: false, looked: [`${url}: ${why}`] });
  });

  test('a refused connection is final at first, and means a restart after a break', async () => {
    const [found, restarted] = [
      new Simulation(GONE),
      new Simulation(BROKEN, GONE, { text: marked({ healthy: true }) }),
    ];
    expect(await found.askRemote()).toMatchObject({ ok: false, looked: [expect.stringContaining('check the URL')] });
    expect(found.now).toBe(0);
    expect(await restarted.askRemote()).toMatchObject({ ok: true, status: 200 });
  });

  const remote = { authority: 'gpu.example', prefix: '', token: null };
  const followed = async (at: Simulation, given: Partial<Parameters<typeof streamRequest>[3]> = {}) => {
    const seen: unknown[] = [];
    const streaming = {
      take: (line: unknown) => void seen.push(line),
      resume: () => ({ path: '/v1/events?after=1' }),
      resumed: () => void seen.push('resumed'),
      ...given,
    };
    const result = await at.settle(streamRequest({ ...at.dial, remote }, { path: '/v1/events' }, at.after, streaming));
    return { seen, result };
  };

  test('a proxy that reaches no supervisor is asked for 2 s, and then named', async () => {
    const page = json({}, 502);
    const restarted = new Simulation({ text: page }, { text: page }, { text: marked({ healthy: true }) });
    expect(await restarted.askRemote()).toMatchObject({ ok: true, status: 200 });
    const gone = new Simulation({ text: page });
    expect(await gone.askRemote()).toEqual({
      ok: false,
      looked: [
        `${url}: a proxy responds there, and no supervisor behind it (HTTP 502): check where the proxy forwards requests to, and \`control.http.listen\` of that supervisor`,
      ],
    });
    expect(gone.now).toBe(2_000);
  });

  test('a stream that follows continues, although a proxy has ended it in good form', async () => {
    const head = HEAD.replace('\r\n', '\r\nSvc-Super-Api: v1\r\n');
    const ended = `${head}${chunk({ n: 1 })}${END}`;
    const next = `${head}${chunk({ n: 2 })}${END}`;
    const at = new Simulation({ text: ended }, { text: json({}, 502) }, { text: next }, { text: json({}, 502) });
    const { seen, result } = await followed(at);
    expect(seen).toEqual([{ n: 1 }, 'resumed', { n: 2 }]);
    expect(result).toMatchObject({ ok: true, whole: false });
    // One that has its last line is over.
    const complete = new Simulation({ text: ended });
    expect((await followed(complete, { isComplete: () => true })).result).toMatchObject({ ok: true, whole: true });
    expect(complete.requests).toHaveLength(1);
  });
});
