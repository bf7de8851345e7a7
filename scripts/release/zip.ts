// Writes zip archives (APPNOTE.TXT of PKWARE) that depend on their files only: fixed order, times and modes. Below 4 GiB. The
// compressor is libdeflate, whose output is the same on every processor; that of zlib's variants is not.

/** Level of libdeflate: fast, or small. */
export type Level = 1 | 12;

/** One file of an archive. */
export interface Member {
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer>;
  /** Permission bits. */
  readonly mode: number;
}

const SIGNATURE = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50 } as const;
/** 2.0: the version that reads deflated files. */
const VERSION = 20;
const DEFLATED = 8;
const UTF8_NAMES = 0x800;
const UNIX = 3 << 8;
const REGULAR_FILE = 0o100000;

interface Packed {
  readonly name: Buffer;
  readonly mode: number;
  readonly size: number;
  readonly crc: number;
  readonly deflated: Buffer;
}

function pack({ path, data, mode }: Member, level: Level): Packed {
  const deflated = Buffer.from(Bun.deflateSync(data, { level, library: 'libdeflate' }));
  return { name: Buffer.from(path), mode, size: data.length, crc: Bun.hash.crc32(data), deflated };
}

function numbers(bytes: number, values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(bytes * values.length);
  for (const [index, value] of values.entries()) buffer.writeUIntLE(value, index * bytes, bytes);
  return buffer;
}

const u16 = (...values: readonly number[]) => numbers(2, values);
const u32 = (...values: readonly number[]) => numbers(4, values);
const lengthOf = (parts: readonly Buffer[]) => parts.reduce((sum, part) => sum + part.length, 0);

/** Time and date of MS-DOS, UTC. */
function dosTime(seconds: number): readonly [time: number, date: number] {
  const at = new Date(seconds * 1_000);
  return [
    (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
  ];
}

/** An archive of `members` in their order. `seconds`: the time of each file, 1980 or later. */
export function zip(members: readonly Member[], seconds: number, level: Level): Buffer {
  const [time, date] = dosTime(seconds);
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const { name, mode, size, crc, deflated } = pack(member, level);
    const common = [
      u16(VERSION, UTF8_NAMES, DEFLATED, time, date),
      u32(crc, deflated.length, size),
      u16(name.length, 0), // no extra field
    ];
    const local = [u32(SIGNATURE.local), ...common, name, deflated];
    const attributes = ((REGULAR_FILE | mode) << 16) >>> 0;
    // No comment; disk 0; no text.
    const central = [u16(0, 0, 0), u32(attributes, offset), name];
    directory.push(u32(SIGNATURE.central), u16(UNIX | VERSION), ...common, ...central);
    parts.push(...local);
    offset += lengthOf(local);
  }
  const count = members.length;
  const end = [u32(SIGNATURE.end), u16(0, 0, count, count), u32(lengthOf(directory), offset), u16(0)];
  return Buffer.concat([...parts, ...directory, ...end]);
}
