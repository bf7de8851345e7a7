// Datagrams to the socket of a `notify` probe of the real binary: random bytes, valid messages from the wrong user, too long
// messages, messages with descriptors. Only READY=1 on its own line from a permitted sender may have an effect, and received
// descriptors must be closed.
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Supervisor, until } from '../../soak/supervisor.ts';
import type { Dice } from '../../test/helpers/nonsense.ts';
import { DatagramSender } from '../datagrams.ts';
import { must, type Target, type Trial } from '../target.ts';

/** The part of a message that is read. */
const MOST = 8_192;
const STRANGER = 65_534;
/** Sending as another user needs root; without it such messages are left out. */
const US = process.getuid?.() ?? 0;
const LOOK_EVERY = 50;
/** Figures may differ by the descriptors of a request in progress. */
const SLACK = 3;

interface Datagram {
  readonly fromStranger: boolean;
  readonly descriptors: number;
  readonly data: Uint8Array;
}

/** Two bytes before each message determine the sender, the number of descriptors and the length. */
export function parseDatagrams(input: Uint8Array): readonly Datagram[] {
  const found: Datagram[] = [];
  for (let at = 0; at + 1 < input.length && found.length < 30; ) {
    const [how = 0, size = 0] = input.subarray(at, at + 2);
    const data = input.subarray(at + 2, at + 2 + size);
    at += 2 + size;
    // Very long messages repeat a short one.
    const long = how & 0x40 ? Buffer.concat(Array.from({ length: 1 + (how & 3) * 100 }, () => data)) : data;
    found.push({ fromStranger: (how & 0x80) !== 0, descriptors: how & 0x20 ? 1 + ((how >> 2) & 7) : 0, data: long });
  }
  return found;
}

/** As specified: complete, on its own line, from the service's user, the supervisor's user or root. */
export function saysReady({ data, fromStranger }: Datagram): boolean {
  return !fromStranger && data.length <= MOST && Buffer.from(data).toString('latin1').split('\n').includes('READY=1');
}

const WORDS = [
  'READY=1',
  'READY=0',
  'READY=1\n',
  '\nREADY=1',
  'STATUS=x',
  'FDSTORE=1',
  'MAINPID=1',
  'STOPPING=1',
  'RELOADING=1',
  'WATCHDOG=1',
  'BARRIER=1',
  'READY=1\0',
  ' READY=1',
  'ready=1',
  'READY=11',
  'XREADY=1',
  'READY=1\r',
  '\xff\xfe',
  'READY',
  '=1',
  '\n\n',
  'ERRNO=2',
  'X_SVC=1',
]; // prettier-ignore

class NotifyTrial implements Trial {
  readonly #dice: Dice;
  readonly #supervisor: Supervisor;
  readonly #words: () => string;
  readonly #null = openSync('/dev/null', 'r');
  #sender: DatagramSender | null = null;
  #run = 0;
  #isReady = false;
  #attempts = 0;
  #descriptors = 0;

  constructor(dice: Dice, supervisor: Supervisor, words: () => string) {
    this.#dice = dice;
    this.#supervisor = supervisor;
    this.#words = words;
  }

  /** Waits for the next run of the service, which reports the address of its socket. */
  async greet(): Promise<void> {
    this.#run += 1;
    this.#sender?.close();
    const file = join(this.#supervisor.folder, `address.${this.#run}`);
    const address = await until('the service to say its address', () => {
      try {
        return /^(@.*)\n/.exec(readFileSync(file, 'utf8'))?.[1] ?? null;
      } catch {
        return null;
      }
    });
    this.#sender = new DatagramSender(address);
    this.#isReady = false;
    if (this.#descriptors === 0) this.#descriptors = this.#open();
  }

  #open(): number {
    return this.#supervisor.pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  fresh(): Uint8Array {
    const dice = this.#dice;
    return Buffer.concat(
      Array.from({ length: 1 + dice.below(6) }, () => {
        const data = Buffer.from(
          dice.chance(20)
            ? Uint8Array.from({ length: dice.below(200) }, () => dice.below(256))
            : Array.from({ length: 1 + dice.below(4) }, () => dice.one(WORDS)).join(dice.chance(70) ? '\n' : ''),
          // The words are bytes.
        ).subarray(0, 255);
        return Buffer.concat([Buffer.from([dice.below(256), data.length]), data]);
      }),
    );
  }

  async attempt(input: Uint8Array): Promise<readonly string[]> {
    const sender = this.#sender;
    if (sender === null) throw new Error('no sender is connected');
    const datagrams = parseDatagrams(input).filter(({ fromStranger }) => US === 0 || !fromStranger);
    for (const { data, fromStranger, descriptors } of datagrams) {
      const along = Array.from({ length: descriptors }, () => this.#null);
      const send = () => sender.send(data, fromStranger ? STRANGER : US, along);
      // A full socket is not a fault; a socket that is never read is one.
      if (!send()) await until('room in the socket', send);
    }
    // PID 1 has received them. It reports in order: after the result of a later spawn, the supervisor has handled them.
    await until('the messages to be read', () => sender.waiting === 0);
    await this.#supervisor.order('/v1/services/told/exec', { argv: ['/bin/true'] });
    const { state, run } = await this.#service();
    must(run === this.#run, 'the service was started again');
    const expected = this.#isReady || datagrams.some(saysReady) ? 'ready' : 'starting';
    must(state === expected, `the service is ${state} where it should be ${expected}`);
    this.#isReady = expected === 'ready';
    this.#attempts += 1;
    if (this.#attempts % LOOK_EVERY === 0) await this.#look();
    const features = datagrams.map(
      (one) =>
        `${one.descriptors > 4 ? '~' : ''}${saysReady(one)} ${one.fromStranger} ${one.descriptors} ${one.data.length > MOST} ${this.#isReady}`,
    );
    if (this.#isReady && this.#dice.chance(50)) {
      await this.#supervisor.order('/v1/services/told/restart', {});
      await this.greet();
    }
    return features;
  }

  async #service(): Promise<{ readonly state: string; readonly run: number }> {
    must(!this.#supervisor.isOver, 'the supervisor has ended');
    const { text } = await this.#supervisor.ask('/v1/services/told');
    return JSON.parse(text) as { state: string; run: number };
  }

  async #look(): Promise<void> {
    // Descriptors of a run that has just ended are closed a little later.
    await until('descriptors that were sent along to be closed', () => this.#open() <= this.#descriptors + SLACK);
    must(!/bug in svc-super/.test(this.#words()), () => `it reported a bug: ${this.#words()}`);
  }

  async end(): Promise<void> {
    this.#sender?.close();
    closeSync(this.#null);
    try {
      await this.#look();
      must((await this.#supervisor.stop()) === 0, 'it does not exit with 0 after the request to stop');
    } finally {
      await this.#supervisor.close();
    }
  }
}

export const notify: Target = {
  about: 'datagrams to the socket of a notify probe',
  words: WORDS,
  pure: false,
  longest: 2_048,
  begin: async (dice) => {
    const folder = Supervisor.folder();
    let words = '';
    const listener = {
      stdout: () => undefined,
      stderr: (chunk: Uint8Array) => {
        words = (words + Buffer.from(chunk).toString('utf8')).slice(-8_000);
      },
    };
    const command = 'echo "$NOTIFY_SOCKET" > "address.$SVC_RUN"; exec sleep 1000000';
    const told = { command, cwd: folder, ready: { notify: true }, start_timeout: '10h' };
    const supervisor = await Supervisor.begin(
      folder,
      { exit: 'all', stop_timeout: '5s', services: { told } },
      listener,
    );
    const trial = new NotifyTrial(dice, supervisor, () => words);
    await trial.greet();
    return trial;
  },
};
