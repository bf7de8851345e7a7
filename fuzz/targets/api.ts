// Bytes to the control API of the real binary, through the unix socket and over TCP, whole and in pieces. It must keep running
// and respond without an internal error, responses must be well-formed, nothing may be readable without the token, and
// connections must be closed. A valid request is carried out on services that exist for this purpose.
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Supervisor, until } from '../../soak/supervisor.ts';
import { freePort } from '../../test/helpers/free-port.ts';
import { type Dice, nonsense } from '../../test/helpers/nonsense.ts';
import { must, type Target, type Trial } from '../target.ts';

const TOKEN = 'the-right-token';
/** Must not appear in any response to a client without the token. */
const NAME = 'precious-one';
/** Limit of the wait for a response, milliseconds: half of a request has none. */
const PATIENCE = 40;
const LOOK_EVERY = 400;
/** Figures may differ by the requests in progress. */
const SLACK = 8;

/** The first byte of an input determines how it is sent. */
const HOW = ['unix', 'known', 'unknown', 'torn'] as const;

interface Said {
  readonly text: string;
  readonly closed: boolean;
}

function exchange(to: number | string, bytes: Uint8Array, torn: boolean): Promise<Said> {
  return new Promise((resolve) => {
    const socket: Socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
    let text = '';
    let closed = false;
    const timer = setTimeout(() => socket.destroy(), PATIENCE);
    socket.on('data', (chunk: Buffer) => {
      if (text.length < 1_000_000) text += chunk.toString('latin1');
      if (isWhole(text)) socket.destroy();
    });
    socket.on('end', () => {
      closed = true;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ text, closed });
    });
    socket.on('connect', () => {
      socket.write(bytes);
      if (torn) setImmediate(() => socket.destroy());
    });
  });
}

interface ApiResponse {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** The content length; null: the response continues until the connection ends. */
  readonly length: number | null;
}

function parseAnswer(text: string): ApiResponse | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return {
    status: Number(/^HTTP\/1\.[01] (\d{3}) /.exec(head)?.[1]),
    head,
    body: text.slice(end + 4),
    length: length === undefined ? null : Number(length),
  };
}

function isWhole(text: string): boolean {
  const answer = parseAnswer(text);
  return answer !== null && answer.status >= 200 && answer.length !== null && answer.body.length >= answer.length;
}

function checkAnswer(text: string, isHead: boolean): ApiResponse | null {
  if (text === '') return null;
  must(text.startsWith('HTTP/1.1 '), 'a response does not begin with a status line');
  const answer = parseAnswer(text);
  if (answer === null) return null;
  const { status, head, body, length } = answer;
  must(status >= 100 && status < 600, 'a response has no status');
  must(![500, 502, 504].includes(status), () => `it answers ${status}: ${body.slice(0, 200)}`);
  must(!/[^\t\r\n\x20-\x7e\x80-\xff]/.test(head), 'the head of a response contains control characters');
  if (
    !isHead &&
    status !== 304 &&
    length !== null &&
    body.length >= length &&
    /content-type: application\/json/i.test(head)
  ) {
    const value: unknown = JSON.parse(Buffer.from(body.slice(0, length), 'latin1').toString('utf8'));
    must(
      status < 400 ||
        (typeof value === 'object' &&
          value !== null &&
          ('error' in value || 'healthy' in value || 'diagnostics' in value)),
      'a refusal has no error',
    );
  }
  return answer;
}

class ApiTrial implements Trial {
  readonly #dice: Dice;
  readonly #supervisor: Supervisor;
  readonly #port: number;
  readonly #words: () => string;
  readonly #before: number;
  #attempts = 0;

  constructor(dice: Dice, supervisor: Supervisor, port: number, words: () => string) {
    this.#dice = dice;
    this.#supervisor = supervisor;
    this.#port = port;
    this.#words = words;
    this.#before = this.#open();
  }

  #open(): number {
    return this.#supervisor.pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  fresh(): Uint8Array {
    const how = this.#dice.below(256);
    return Buffer.concat([Buffer.from([how]), nonsense(this.#dice, HOW[how % HOW.length] === 'known' ? TOKEN : null)]);
  }

  async attempt(input: Uint8Array): Promise<readonly string[]> {
    const how = HOW[(input[0] ?? 0) % HOW.length] ?? 'unix';
    const bytes = input.subarray(1);
    const to = how === 'unix' || ((input[0] ?? 0) >= 128 && how === 'torn') ? this.#supervisor.socket : this.#port;
    const { text, closed } = await exchange(to, bytes, how === 'torn');
    const sent = Buffer.from(bytes).toString('latin1');
    // Empty lines before a request are skipped (RFC 9112, 2.2).
    const answer = checkAnswer(text, /^[\r\n]*HEAD /.test(sent));
    if (to === this.#port && !sent.includes(TOKEN)) must(!text.includes(NAME), 'a name is readable without the token');
    this.#attempts += 1;
    if (this.#attempts % LOOK_EVERY === 0) await this.#look();
    if (answer === null) return [`~${how} nothing ${closed}`];
    // The beginning of a response, without its contents.
    const said = /^(?:\{"error":"[a-z ]{0,30}|[^\w]{0,3}\w{0,12})/i.exec(answer.body)?.[0] ?? '';
    return [
      `${answer.status} ${said}`,
      `~${how} ${answer.status} ${said}`,
      `~${answer.status} ${Math.ceil(Math.log2(answer.body.length + 1))}`,
    ];
  }

  async #look(): Promise<void> {
    must(!this.#supervisor.isOver, 'the supervisor has ended');
    const { status } = await this.#supervisor.ask('/v1/status');
    must(status === 200, `status responds with ${status}`);
    // A stopped service is started again, so that the next operation has a target.
    await this.#supervisor.ask('/v1/start', 'POST', { all: true });
    await this.#closed();
    must(!/bug in svc-super/.test(this.#words()), () => `it reported a bug: ${this.#words().slice(-800)}`);
  }

  /** Connections with torn or partial requests are closed after the time limit of a request. */
  async #closed(): Promise<void> {
    // Each service has two pipes and a descriptor for its process.
    await until('the connections to be closed', () => this.#open() <= this.#before + SLACK);
  }

  async end(): Promise<void> {
    try {
      await this.#look();
      must((await this.#supervisor.stop()) === 0, 'it does not exit with 0 after the request to stop');
    } finally {
      await this.#supervisor.close();
    }
  }
}

export const api: Target = {
  about: 'requests to the control API',
  words: [
    'GET ',
    'POST ',
    'HEAD ',
    ' HTTP/1.1\r\n',
    'Host: localhost\r\n',
    '\r\n\r\n',
    '\r\n',
    'Content-Length: ',
    'Content-Length: 2\r\n\r\n{}',
    'Transfer-Encoding: chunked\r\n',
    '0\r\n\r\n',
    `Authorization: Bearer ${TOKEN}\r\n`,
    '/v1/',
    'status',
    'services/',
    NAME,
    'other',
    '/stop',
    '/start',
    '/restart',
    '/signal',
    '/exec',
    '/v1/reload',
    '/v1/logs?',
    '/v1/wait?',
    'follow=1',
    'lines=3',
    'timeout=1',
    'for=stopped',
    '{"services":["',
    '"]}',
    '{"all":true}',
    '{"signal":"USR1"}',
    '{"dry_run":true}',
    '{"argv":["/bin/echo","x"]}',
    '%2f',
    '%00',
    '?',
    '&',
    '*',
    '/metrics',
    '/healthz',
    '/openapi.json',
    '/ops',
    '/group/one/stop',
    'Expect: 100-continue\r\n',
    'Connection: close\r\n',
    'Upgrade: websocket\r\n',
  ], // prettier-ignore
  pure: false,
  longest: 100_000,
  begin: async (dice) => {
    const folder = Supervisor.folder();
    const port = await freePort();
    let words = '';
    const listener = {
      stdout: () => undefined,
      stderr: (chunk: Uint8Array) => {
        words = (words + Buffer.from(chunk).toString('utf8')).slice(-20_000);
      },
    };
    const stays = {
      command: ['/bin/sleep', '1000000'],
      restart: { policy: 'always', backoff: { initial: '1ms' } },
      group: 'one',
    };
    const supervisor = await Supervisor.begin(
      folder,
      {
        exit: 'all',
        stop_timeout: '5s',
        control: { http: { listen: `127.0.0.1:${port}`, token: TOKEN } },
        defaults: { essential: false },
        services: { [NAME]: stays, other: { ...stays, group: 'two' } },
      },
      listener,
    );
    await until('the listener', () => words.includes('the control API and the dashboard are at'));
    return new ApiTrial(dice, supervisor, port, () => words);
  },
};
