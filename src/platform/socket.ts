// The connection between PID 1 and the supervisor: a connected socket that was inherited as a descriptor. Bun's
// net.Socket reads nothing from an inherited descriptor, and its own sockets (Bun.connect) wake an idle process every
// second for their time-outs: on Bun it is read and written as a file. Node uses net.Socket. Never interprets the
// bytes.
import { closeSync, writeSync } from 'node:fs';

export interface Connection {
  /** Queues bytes, which are written in order. */
  write(bytes: Uint8Array): void;
  /** Drops the bytes that are still queued. */
  close(): void;
}

export interface ConnectionListener {
  data(bytes: Uint8Array): void;
  closed(): void;
}

export async function openConnection(fd: number, listener: ConnectionListener): Promise<Connection> {
  return typeof Bun === 'undefined' ? openByNode(fd, listener) : openByBun(fd, listener);
}

/** Writes directly while there is room, and otherwise through the runtime's writer, in order. */
class Sender {
  readonly #fd: number;
  #queue: Uint8Array[] = [];
  #writer: ReturnType<Bun.BunFile['writer']> | null = null;
  #isWaiting = false;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#queue.push(bytes);
    if (!this.#isWaiting) this.#writeNow();
  }

  /** Call it before the descriptor is closed: its number may then be in use for another file. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
  }

  #writeNow(): void {
    while (this.#queue.length > 0) {
      const [first = new Uint8Array()] = this.#queue;
      let written = 0;
      try {
        written = writeSync(this.#fd, first);
      } catch (error) {
        // The peer has closed the socket; the reader reports that.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#queue = [];
        else void this.#writeLater();
        return;
      }
      if (written < first.length) this.#queue[0] = first.subarray(written);
      else this.#queue.shift();
    }
  }

  async #writeLater(): Promise<void> {
    this.#isWaiting = true;
    const pieces = this.#queue.splice(0);
    try {
      this.#writer ??= Bun.file(this.#fd).writer();
      this.#writer.write(Buffer.concat(pieces));
      await this.#writer.flush();
    } catch {
      this.#queue = [];
    }
    this.#isWaiting = false;
    this.#writeNow();
  }
}

function openByBun(fd: number, listener: ConnectionListener): Connection {
  const sender = new Sender(fd);
  let isClosed = false;
  const reader = Bun.file(fd).stream().getReader();
  const read = async () => {
    try {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) listener.data(chunk.value);
    } catch {
      // The peer has closed the socket.
    }
    listener.closed();
  };
  void read();
  return {
    write: (bytes) => sender.write(bytes),
    close() {
      if (isClosed) return;
      isClosed = true;
      sender.close();
      void reader.cancel().catch(() => undefined);
      closeSync(fd);
    },
  };
}

async function openByNode(fd: number, listener: ConnectionListener): Promise<Connection> {
  const { Socket } = await import('node:net');
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.on('data', (bytes: Buffer) => listener.data(bytes));
  socket.on('close', () => listener.closed());
  socket.on('error', () => undefined);
  return {
    write: (bytes) => void socket.write(bytes),
    close: () => void socket.destroy(),
  };
}
