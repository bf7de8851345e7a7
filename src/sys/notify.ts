// Sockets on which services say READY=1 (sd_notify(3)), one for each run that is asked to. Woken by SIGIO, so nobody
// polls. Who may speak is decided by the kernel's word on the sender's uid.
import { closeSync } from 'node:fs';
import type { Random } from '../ports.ts';
import { openNotifySocket, receiveDatagram } from './libc.ts';

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

export class NotifySockets {
  readonly #random: Random;
  readonly #open = new Set<Listening>();
  #listening = false;

  constructor(random: Random) {
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
        if (this.#open.delete(listening)) closeSync(listening.fd);
      },
    };
  }

  #receive(): void {
    const ours = process.getuid?.() ?? 0;
    for (const { fd, uid, onReady } of this.#open) {
      for (let datagram = receiveDatagram(fd); datagram !== null; datagram = receiveDatagram(fd)) {
        if (datagram.uid !== uid && datagram.uid !== ours && datagram.uid !== 0) continue;
        if (datagram.text.split('\n').includes('READY=1')) onReady();
      }
    }
  }
}
