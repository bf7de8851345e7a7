// Puts the code of entry.c into an ELF file, ahead of the entry that it has.
import { KEPT, LINKER, OBEYED, SETTINGS, SETTLED } from '../../src/sys/boot.ts';
import { CODE } from './code.ts';

/**
 * Where it goes: v8::Map::Set, which the runtime offers to native addons and calls nowhere itself, and addons cannot be
 * loaded by a program that has none. Larger than the code needs.
 */
const PLACE = '_ZN2v83Map3SetENS_5LocalINS_7ContextEEENS1_INS_5ValueEEES5_';

// Offsets and numbers of <elf.h>, 64 bits, little-endian.
const E_MACHINE = 18;
const E_ENTRY = 24;
const E_SHOFF = 40;
const E_SHNUM = 60;
const SECTION_SIZE = 64;
const SYMBOL_SIZE = 24;
const SHT_DYNSYM = 11;
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };

/** The dynamic linker that a runtime for musl names in its first page. */
const MUSL = '/lib/ld-musl-';
const PAGE = 4_096;

interface Place {
  readonly address: number;
  /** Where it is in the file. */
  readonly offset: number;
  readonly size: number;
}

interface Section {
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

function sections(elf: Buffer): Section[] {
  const from = Number(elf.readBigUInt64LE(E_SHOFF));
  return Array.from({ length: elf.readUInt16LE(E_SHNUM) }, (_, at) => {
    const header = from + at * SECTION_SIZE;
    const [address, offset, size] = [16, 24, 32].map((field) => Number(elf.readBigUInt64LE(header + field)));
    return {
      type: elf.readUInt32LE(header + 4),
      address: address ?? 0,
      offset: offset ?? 0,
      size: size ?? 0,
      link: elf.readUInt32LE(header + 40),
    };
  });
}

/** What the file has under that name for others to see. */
function find(elf: Buffer, name: string): Place {
  const all = sections(elf);
  const symbols = all.find(({ type }) => type === SHT_DYNSYM);
  const strings = all[symbols?.link ?? -1];
  if (symbols !== undefined && strings !== undefined) {
    for (let at = symbols.offset; at < symbols.offset + symbols.size; at += SYMBOL_SIZE) {
      const text = strings.offset + elf.readUInt32LE(at);
      if (elf.toString('latin1', text, elf.indexOf(0, text)) !== name) continue;
      const home = all[elf.readUInt16LE(at + 6)];
      const address = Number(elf.readBigUInt64LE(at + 8));
      if (home !== undefined && address !== 0)
        return { address, offset: home.offset + address - home.address, size: Number(elf.readBigUInt64LE(at + 16)) };
    }
  }
  throw new Error(`the runtime no longer has ${name}: find another place for the code of entry.c`);
}

/** Changes the file's bytes. Throws where it is not what is expected. */
export function installEntry(elf: Buffer): void {
  const machine = MACHINES[elf.readUInt16LE(E_MACHINE)];
  const code = Buffer.from(CODE[machine ?? ''] ?? '', 'base64');
  if (code.length === 0) throw new Error('the runtime is neither for x86-64 nor for arm64');
  const place = find(elf, PLACE);
  const settings = Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`);
  const lists = [settings, LINKER, OBEYED, [`${SETTLED}=`], [KEPT]];
  const words = lists.map((words) => `${words.map((word) => `${word}\0`).join('')}\0`).join('');
  const distances = new BigInt64Array([
    elf.readBigUInt64LE(E_ENTRY) - BigInt(place.address),
    elf.subarray(0, PAGE).includes(MUSL) ? 0n : BigInt(find(elf, 'environ').address - place.address),
  ]);
  const all = Buffer.concat([code, Buffer.from(distances.buffer), Buffer.from(words)]);
  if (all.length > place.size) throw new Error(`the code of entry.c needs ${all.length} bytes, and has ${place.size}`);
  all.copy(elf, place.offset);
  elf.writeBigUInt64LE(BigInt(place.address), E_ENTRY);
}
