// Reads the output of services from pipes, by their paths (/proc/PID/fd/N): each reader has its own open file
// description, and the process that created the pipe keeps it alive. Reads on demand: unread output stays in the pipe
// and slows the writer, except for one chunk that Bun reads ahead. Never interprets the bytes.
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import type { Socket } from 'node:net';

export interface Reader {
  /** The next bytes; null at the end, when the last writer has closed, or after close(). One call at a time. */
  read(): Promise<Uint8Array | null>;
  /**
   * Returns the bytes that are available, without waiting; null if there are none. At most CHUNK bytes, or the chunk
   * that was read ahead. A pending read() then returns later bytes. Call it from a timer or an event: if a read() has
   * resolved and its caller has not run yet, the chunks would be handled in the wrong order.
   */
  readNow(): Uint8Array | null;
  /**
   * Resolves when no read() is pending any more. Bun closes the descriptor a little later and on a thread of its pool,
   * which must exist before services can use up the process limit (threads.ts); otherwise descriptors leak.
   */
  close(): Promise<void>;
}

/** The most that is read at once, bytes: the capacity of a pipe (pipe(7)). */
const CHUNK = 64 * 1024;

/** Opens the reading end of a pipe. Throws an Error with `code` (EMFILE; ENOENT and EACCES if the process has ended). */
export function openReader(path: string): Reader {
  return typeof Bun === 'undefined' ? new NodeReader(path) : new BunReader(path);
}

/**
 * Descriptors that are left for connections and for reading /proc. PID 1 refuses a service before the supervisor runs out of
 * them, by a margin that is enough for Bun's own descriptors (11), and not for Node's (26).
 */
const SPARE = 16;

/** The soft limit on open files, which Node raises to the hard one at its start. Read once. */
let mostFiles: number | null = null;

/** Infinity if it is not known: gVisor has no such file. */
function readMostFiles(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Throws an Error with the code EMFILE if fewer than SPARE descriptors would be left. */
function openPipeWithSpare(path: string): number {
  mostFiles ??= readMostFiles();
  const fd = openPipe(path);
  if (fd + SPARE < mostFiles) return fd;
  closeSync(fd);
  throw Object.assign(new Error(`${path} cannot be opened: hardly any descriptor is left`), { code: 'EMFILE' });
}

function openPipe(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** The buffer of all direct reads, which are synchronous; allocated by the first one. */
let page: Uint8Array | null = null;

/** Null if there is nothing to read: no bytes, the end, or an error, after which the next read() returns null. */
function readDirectly(fd: number): Uint8Array | null {
  page ??= new Uint8Array(CHUNK);
  try {
    const size = readSync(fd, page, 0, page.length, null);
    return size === 0 ? null : page.slice(0, size);
  } catch {
    return null;
  }
}

type Chunk = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

class BunReader implements Reader {
  readonly #path: string;
  /** The descriptor until the first read, then the stream that has a copy of it; null after close(). */
  #from: number | ReadableStreamDefaultReader<Uint8Array> | null;
  /** A read of the stream whose result has not been returned. */
  #pending: Promise<Chunk> | null = null;
  /** Whether a read() waits for #pending. */
  #isAwaited = false;

  constructor(path: string) {
    this.#path = path;
    this.#from = openPipe(path);
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#from === null) return null;
    try {
      this.#pending ??= this.#stream(this.#from).read();
      this.#isAwaited = true;
      const { done, value } = await this.#pending;
      this.#isAwaited = false;
      this.#pending = null;
      if (!done && value !== undefined) return value;
    } catch {
      // The stream was cancelled, or the pipe cannot be read: the end.
    }
    await this.close();
    return null;
  }

  readNow(): Uint8Array | null {
    if (this.#from === null) return null;
    if (typeof this.#from === 'number') return readDirectly(this.#from);
    if (this.#pending === null) {
      this.#pending = this.#from.read();
      // After an error the next read() returns null.
      this.#pending.catch(() => undefined);
    }
    // While its read is pending, the stream has nothing in its queue.
    if (Bun.peek.status(this.#pending) === 'pending') return this.#readAgain();
    const chunk = Bun.peek(this.#pending);
    if (this.#isAwaited || chunk instanceof Promise || chunk.done || chunk.value === undefined) return null;
    this.#pending = null;
    return chunk.value;
  }

  /** Reads through a new open file description, because the stream's descriptor is not known. */
  #readAgain(): Uint8Array | null {
    let fd: number;
    try {
      fd = openPipe(this.#path);
    } catch {
      return null;
    }
    try {
      return readDirectly(fd);
    } finally {
      closeSync(fd);
    }
  }

  #stream(from: number | ReadableStreamDefaultReader<Uint8Array>): ReadableStreamDefaultReader<Uint8Array> {
    if (typeof from !== 'number') return from;
    const stream = Bun.file(from).stream().getReader() as ReadableStreamDefaultReader<Uint8Array>;
    this.#from = stream;
    // The stream holds a copy of the descriptor; the original would only count against the limit.
    closeSync(from);
    return stream;
  }

  async close(): Promise<void> {
    const from = this.#from;
    this.#from = null;
    if (typeof from === 'number') closeSync(from);
    else await from?.cancel().catch(() => undefined);
  }
}

class NodeReader implements Reader {
  readonly #fd: number;
  #socket: Socket | null = null;
  #isOpen = true;
  #resolve: ((bytes: Uint8Array | null) => void) | null = null;

  constructor(path: string) {
    this.#fd = openPipeWithSpare(path);
  }

  read(): Promise<Uint8Array | null> {
    if (!this.#isOpen) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.#socket === null) this.#socket = this.#openSocket();
      else this.#socket.resume();
    });
  }

  readNow(): Uint8Array | null {
    return this.#isOpen ? readDirectly(this.#fd) : null;
  }

  close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      if (this.#socket === null) closeSync(this.#fd);
      else this.#socket.destroy();
      this.#resolveRead(null);
    }
    return Promise.resolve();
  }

  /** The socket reads into one buffer and pauses after each chunk. */
  #openSocket(): Socket {
    const net = process.getBuiltinModule('node:net');
    const onread = {
      buffer: new Uint8Array(CHUNK),
      callback: (size: number, buffer: Uint8Array) => {
        this.#resolveRead(buffer.slice(0, size));
        return false;
      },
    };
    const socket = new net.Socket({ fd: this.#fd, readable: true, writable: false, onread });
    const end = () => void this.close();
    return socket.on('end', end).on('error', end).on('close', end);
  }

  #resolveRead(bytes: Uint8Array | null): void {
    const resolve = this.#resolve;
    this.#resolve = null;
    resolve?.(bytes);
  }
}
