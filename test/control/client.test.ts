// The client of the control API against a supervisor that dies at every point of an answer: what is asked again, for how
// long, and what a stream goes on with. Connections and time are simulated.
import { describe, expect, test } from 'bun:test';
import { ask, askLines, type Dial, type LineListener, type Question } from '../../src/control/client.ts';

/** What happens to one connection. */
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

  readonly dial: Dial = {
    ok: true,
    path: '/run/x.sock',
    open: async (listener: LineListener) => {
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

  ask(question: Question = { path: '/v1/health' }) {
    return this.settle(ask(this.dial, question, this.after));
  }
}

const BROKEN: Step = { text: '', closes: true };
const late = (text: string) => ({ ok: false as const, looked: [`/run/x.sock: ${text}`] });
const TOO_LATE = 'the supervisor ended before it answered, and no other one answered within 2 s';

describe('one answer', () => {
  const whole = json({ healthy: true });
  test.each([0, 10, whole.length - 3])('is asked for again when the connection breaks after %d bytes', async (size) => {
    const at = new Simulation({ text: whole.slice(0, size), closes: true }, { text: whole });
    expect(await at.ask()).toEqual({ ok: true, status: 200, body: { healthy: true } });
    expect(at.requests).toHaveLength(2);
  });

  test('is waited for 2 s in all from the first break on', async () => {
    const crashing = new Simulation(BROKEN);
    expect(await crashing.ask()).toEqual({ ...late(TOO_LATE), isAway: true });
    expect(crashing.now).toBe(2_000);
    const absent = new Simulation(BROKEN, BROKEN, 'silent');
    expect(await absent.ask()).toEqual({ ...late(TOO_LATE), isAway: true });
    expect(absent.now).toBe(2_000);
    for (const refused of ['EAGAIN', 'ECONNRESET', 'EPIPE']) {
      const at = new Simulation({ refused }, { refused }, { text: whole });
      expect(await at.ask()).toMatchObject({ ok: true });
    }
  });

  test('is waited for 5 s where no connection breaks', async () => {
    for (const text of ['', whole.slice(0, -1)]) {
      const at = new Simulation({ text });
      expect(await at.ask()).toEqual({ ...late('it has not answered within 5 s'), isAway: true });
      expect([at.now, at.requests.length]).toEqual([5_000, 1]);
    }
  });

  test('is given up at once where no process listens any more, or no supervisor', async () => {
    const ended = new Simulation(BROKEN, GONE);
    expect(await ended.ask()).toEqual(late('no process listens there'));
    expect(ended.now).toBeLessThan(100);
    expect(await new Simulation({ text: 'SSH-2.0' }).ask()).toEqual(late('what answers there is no supervisor'));
  });

  test('of a POST is asked for with the same key, and a failure leaves open whether it has had an effect', async () => {
    const post: Question = { method: 'POST', path: '/v1/restart', body: { all: true }, key: 'k' };
    const at = new Simulation(BROKEN, { text: json({}, 202) });
    expect(await at.ask(post)).toMatchObject({ ok: true, status: 202 });
    expect(at.requests.map((text) => /^Idempotency-Key: (.*)\r$/m.exec(text)?.[1])).toEqual(['k', 'k']);
    expect(await new Simulation('silent').ask(post)).toMatchObject({
      looked: ['/run/x.sock: it has not answered within 5 s; the request may still take effect'],
    });
  });
});

describe('a stream', () => {
  const [one, two, three] = [chunk({ n: 1 }), chunk({ n: 2 }), chunk({ n: 3 })];
  const followed = async (at: Simulation, given: Partial<Parameters<typeof askLines>[3]> = {}) => {
    const seen: unknown[] = [];
    const streaming = {
      take: (line: unknown) => void seen.push(line),
      resume: () => ({ path: '/v1/events?after=1' }),
      resumed: () => void seen.push('resumed'),
      delayed: () => void seen.push(`delayed ${at.now}`),
      ...given,
    };
    const result = await at.settle(askLines(at.dial, { path: '/v1/events' }, at.after, streaming));
    return { seen, result };
  };

  test('goes on with the question that resumes it, and says so when the successor answers', async () => {
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

  test('that follows waits for as long as a process listens, and reports a delay once', async () => {
    const breaks = Array<Step>(300).fill(BROKEN);
    const at = new Simulation({ text: `${HEAD}${one}`, closes: true }, ...breaks, GONE);
    const { seen, result } = await followed(at);
    expect(seen).toEqual([{ n: 1 }, 'delayed 2000']);
    expect(at.now).toBeGreaterThan(5_000);
    expect(result).toMatchObject({ ok: true, whole: false });
  });

  test('ends without a word where no process listens any more', async () => {
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

  test('whose question must not be repeated is not', async () => {
    const begun = new Simulation({ text: `${HEAD}${one}`, closes: true });
    expect((await followed(begun, { kind: 'once' })).result).toMatchObject({ ok: true, whole: false });
    const before = new Simulation(BROKEN);
    expect((await followed(before, { kind: 'once' })).result).toMatchObject({
      ok: false,
      looked: ['/run/x.sock: the supervisor ended before it answered'],
    });
    expect([begun.requests.length, before.requests.length]).toEqual([1, 1]);
  });

  test('that has not begun waits as one answer does', async () => {
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
