// Sockets on which services say READY=1 (sd_notify(3)), one for each run that is asked to. Woken by SIGIO, so nobody
// polls. Who may speak is decided by the kernel's word on the sender's uid.
import type { Clock, Random } from '../ports.ts';
import { closeFile, openNotifySocket, receiveDatagram } from './libc.ts';

interface Listening {
  readonly fd: number;
  readonly uid: number;
  readonly onReady: () => void;
}

export interface NotifySocket {
  /** What NOTIFY_SOCKET is set to. */
  readonly address: string;
  close(): void;
}

/** Of one socket no more messages are read in a turn of the event loop: a service may send without end. */
const AT_ONCE = 32;

export class NotifySockets {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Set<Listening>();
  #listening = false;
  /** Whether the next turn reads on, whatever signals come. */
  #goesOn = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Throws an ErrnoError where sockets are used up. `uid` is the service's; ours and the superuser's are heard too. */
  open(uid: number, onReady: () => void): NotifySocket {
    if (!this.#listening) process.on('SIGIO', () => this.#receive());
    this.#listening = true;
    const name = `svc-super-${this.#random.name()}`;
    const listening: Listening = { fd: openNotifySocket(name), uid, onReady };
    this.#open.add(listening);
    return {
      address: `@${name}`,
      close: () => {
        if (this.#open.delete(listening)) closeFile(listening.fd);
      },
    };
  }

  #receive(): void {
    if (this.#goesOn) return;
    for (const listening of this.#open) if (!this.#read(listening)) this.#goesOn = true;
    if (!this.#goesOn) return;
    this.#clock.soon(() => {
      this.#goesOn = false;
      this.#receive();
    });
  }

  /** Reads what is there, as far as one turn goes; false when there may be more. */
  #read({ fd, uid, onReady }: Listening): boolean {
    const ours = process.getuid?.() ?? 0;
    for (let count = 0; count < AT_ONCE; count += 1) {
      const datagram = receiveDatagram(fd);
      if (datagram === null) return true;
      if (datagram.uid !== uid && datagram.uid !== ours && datagram.uid !== 0) continue;
      if (datagram.text.split('\n').includes('READY=1')) onReady();
    }
    return false;
  }
}
