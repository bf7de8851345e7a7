// Packs a module that one command needs into the bundle for Node, compressed: Node parses a bundle at each start, and the 0.7 MB that
// only `top` uses would cost every command some 25 ms of processor time. The module is unpacked and loaded when it is imported. Bun
// loads such modules from its own file when they are needed, without this.
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import type { BunPlugin } from 'bun';

const FILE = 'src/cli/top/run.ts';
const NAMES = ['runTop'] as const;

/**
 * Builds the module, and returns the plugin that puts it into the bundle. `config`: how the bundle itself is built. Two builds of the
 * same sources are equal.
 */
export async function pack(
  root: string,
  config: Omit<Parameters<typeof Bun.build>[0], 'entrypoints' | 'compile'>,
): Promise<BunPlugin> {
  const { outputs } = await Bun.build({ ...config, entrypoints: [join(root, FILE)], target: 'node' });
  const [output] = outputs;
  if (output === undefined) throw new Error(`${FILE} has no output`);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  // A data URL is no place from which a package could be required; modules of Node are found from everywhere.
  const text = (await output.text()).replaceAll('createRequire(import.meta.url)', "createRequire('file:///')");
  const contents = unpack(brotliCompressSync(text, { params }).toString('base64'));
  return {
    name: 'pack',
    setup(build) {
      build.onLoad({ filter: /\/cli\/top\/run\.ts$/ }, () => ({ contents, loader: 'js' }));
    },
  };
}

/**
 * The module in place of the packed one. An import of zlib would be loaded at each start. A data URL is a module of its own (Node's
 * documentation, "data: imports").
 */
function unpack(packed: string): string {
  return `const { brotliDecompressSync } = process.getBuiltinModule('node:zlib');
const text = brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString('base64');
export const { ${NAMES.join(', ')} } = await import('data:text/javascript;base64,' + text);
`;
}
