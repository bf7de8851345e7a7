// Maintains native/prebuilt: the committed native program for each architecture, and a manifest with the digest of the
// sources. `bun scripts/native.ts` writes native/commands.h and compiles the program again; `--check` compiles it, compares
// the bytes, and changes nothing.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const native = join(import.meta.dir, '../native');
const prebuilt = join(native, 'prebuilt');
const ARCHITECTURES = ['x64', 'arm64'] as const;

interface Manifest {
  /** SHA-256 of all sources. */
  readonly sources: string;
  /** `gcc (Debian …) 12.2.0`, by architecture. */
  readonly compilers: Readonly<Record<string, string>>;
  /** SHA-256 of each file. */
  readonly files: Readonly<Record<string, string>>;
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

function digestSources(): string {
  const names = readdirSync(native).filter((name) => /\.(?:[ch]|sh)$/.test(name));
  return sha256(
    names
      .sort()
      .map((name) => `${name}\0${readFileSync(join(native, name), 'utf8')}\0`)
      .join(''),
  );
}

const readManifest = () => JSON.parse(readFileSync(join(prebuilt, 'manifest.json'), 'utf8')) as Manifest;

/** The committed program for an architecture (`process.arch`). Throws if it was compiled from other sources. */
export function checkPrebuilt(arch: string): string {
  const file = join(prebuilt, `svc-super-${arch}`);
  const { sources, files } = readManifest();
  if (sources !== digestSources())
    throw new Error(
      'native/prebuilt was compiled from other sources: run `npm run native` (gcc, gcc-aarch64-linux-gnu)',
    );
  if (files[arch] !== sha256(readFileSync(file)))
    throw new Error(`${file} is not the file of its manifest: run \`npm run native\``);
  return file;
}

/** Compiles for one architecture; returns the bytes. */
function compile(arch: string, folder: string): Buffer {
  const output = join(folder, `svc-super-${arch}`);
  const { exitCode, stderr } = Bun.spawnSync([join(native, 'compile.sh'), arch, output]);
  if (exitCode !== 0) throw new Error(`native/compile.sh ${arch} failed:\n${stderr}`);
  return readFileSync(output);
}

function compilerOf(arch: string): string {
  const name = arch === 'x64' ? 'gcc' : 'aarch64-linux-gnu-gcc';
  return Bun.spawnSync([name, '--version']).stdout.toString().split('\n')[0] ?? '';
}

/**
 * Compiles with the compiler of this machine and compares with the committed files. Returns the differences as
 * messages.
 */
export function findDifferences(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-native-'));
  try {
    const { compilers } = readManifest();
    return ARCHITECTURES.flatMap((arch) => {
      const here = compilerOf(arch);
      if (here !== compilers[arch])
        return [`${arch}: the compiler here is ${here}, that of the manifest ${compilers[arch]}`];
      const isSame = compile(arch, folder).equals(readFileSync(join(prebuilt, `svc-super-${arch}`)));
      return isSame ? [] : [`${arch}: the compiled file differs from the committed one: run \`npm run native\``];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The text of native/commands.h: which words are commands, and which of these connect to a supervisor. */
export async function renderCommandsHeader(): Promise<string> {
  const { COMMANDS } = await import('../src/cli/table.ts');
  const { loadCommands } = await import('../src/cli/help.ts');
  // The native program executes `init`, and starts a supervisor for `up`.
  const commands = Object.entries(await loadCommands(COMMANDS)).filter(([name]) => name !== 'up' && name !== 'init');
  const namesOf = (connects: boolean) =>
    commands.filter(([, command]) => (command.connects !== undefined) === connects).map(([name]) => name);
  const list = (name: string, words: readonly string[]) =>
    `static const char ${name}[] =\n  "${words.map((word) => ` ${word}`).join('')} ";\n`;
  return [
    "// The commands that the supervisor's file executes. `npm run native` writes this file from src/cli/commands.\n\n",
    '/** Commands that send requests to a supervisor: the native program makes their connection. */\n',
    list('connected', namesOf(true)),
    list('unconnected', [...namesOf(false), '-h', '--help', '-V', '--version']),
  ].join('');
}

async function compileAll(): Promise<void> {
  writeFileSync(join(native, 'commands.h'), await renderCommandsHeader());
  const files: Record<string, string> = {};
  const compilers: Record<string, string> = {};
  for (const arch of ARCHITECTURES) {
    files[arch] = sha256(compile(arch, prebuilt));
    compilers[arch] = compilerOf(arch);
  }
  const manifest: Manifest = { sources: digestSources(), compilers, files };
  writeFileSync(join(prebuilt, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const differences = findDifferences();
    for (const difference of differences) process.stderr.write(`${difference}\n`);
    if (differences.length > 0) process.exit(1);
  } else await compileAll();
}
