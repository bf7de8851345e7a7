// Sends datagrams to sockets of the abstract namespace as any user, with descriptors: sendmsg(2) by FFI, because the runtime
// has no unix datagrams. Sending as another user needs root.
import { dlopen, ptr } from 'bun:ffi';

const { symbols: libc } = dlopen('libc.so.6', {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  sendmsg: { args: ['i32', 'ptr', 'i32'], returns: 'i64' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
});

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SCM_CREDENTIALS = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const TIOCOUTQ = 0x5411n;

/** cmsg(3): length, level, type, the data, padded to a multiple of eight bytes. */
function controlMessage(type: number, numbers: readonly number[]): Uint8Array {
  const size = 16 + numbers.length * 4;
  const bytes = Buffer.alloc(Math.ceil(size / 8) * 8);
  bytes.writeBigUInt64LE(BigInt(size), 0);
  bytes.writeInt32LE(SOL_SOCKET, 8);
  bytes.writeInt32LE(type, 12);
  for (const [index, number] of numbers.entries()) bytes.writeInt32LE(number, 16 + index * 4);
  return bytes;
}

export class DatagramSender {
  readonly #fd: number;

  /** `address` in the form of NOTIFY_SOCKET: an `@` stands for the NUL byte of the abstract namespace. */
  constructor(address: string) {
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const name = Buffer.from(`\x01\x00${address.replace(/^@/, '\0')}`, 'latin1');
    if (libc.connect(this.#fd, ptr(name), name.length) !== 0) throw new Error(`no socket has the address ${address}`);
  }

  /** False if the receiver has no space at the moment. */
  send(data: Uint8Array, uid: number, descriptors: readonly number[] = []): boolean {
    const bytes = data.length > 0 ? data : new Uint8Array(1);
    const iovec = new BigUint64Array([BigInt(ptr(bytes)), BigInt(data.length)]);
    const control = Buffer.concat([
      controlMessage(SCM_CREDENTIALS, [process.pid, uid, uid]),
      ...(descriptors.length > 0 ? [controlMessage(SCM_RIGHTS, descriptors)] : []),
    ]);
    const message = new BigUint64Array([
      0n,
      0n,
      BigInt(ptr(iovec)),
      1n,
      BigInt(ptr(control)),
      BigInt(control.length),
      0n,
    ]);
    return Number(libc.sendmsg(this.#fd, ptr(message), MSG_DONTWAIT | MSG_NOSIGNAL)) >= 0;
  }

  /** Bytes that have not been received yet. */
  get waiting(): number {
    const count = new Int32Array(1);
    libc.ioctl(this.#fd, TIOCOUTQ, ptr(count));
    return count[0] ?? 0;
  }

  close(): void {
    libc.close(this.#fd);
  }
}
