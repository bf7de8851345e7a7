// Bundles the commands other than `up` apart from the supervisor. The bundler makes a file of its own of every set of modules that
// the same late imports share, so in one bundle the many commands would cut what `up` loads into many small files. Each costs an
// idle supervisor memory (ARCHITECTURE.md, Budget). What the commands share with `up` is in the executable twice, so an object
// of a module that both have must not be compared by identity.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BunPlugin } from 'bun';

const NAMESPACE = 'commands';

export interface CommandsBundle {
  /** The text of each file, by its name. */
  readonly files: ReadonlyMap<string, string>;
  /** The sources in it, relative to the current folder. */
  readonly inputs: readonly string[];
}

/** `config`: how the supervisor itself is built. Two builds of the same sources are equal. */
export async function bundleCommands(
  root: string,
  config: Omit<Bun.BuildConfig, 'entrypoints' | 'compile'>,
): Promise<CommandsBundle> {
  const folder = join(root, 'src/cli/commands');
  const names = readdirSync(folder).filter((name) => name !== 'up.ts');
  const { outputs, metafile } = await Bun.build({
    ...config,
    entrypoints: names.sort().map((name) => join(folder, name)),
    target: 'bun',
    splitting: true,
    metafile: true,
    naming: { entry: '[name].js', chunk: 'chunk-[hash].js' },
  });
  const files = await Promise.all(
    outputs.map(async (one) => [basename(one.path), withRequire(await one.text())] as const),
  );
  return { files: new Map(files), inputs: Object.keys(metafile?.inputs ?? {}) };
}

/** The bundler writes `require()` of a late module as `import.meta.require()`, which it does not resolve when it reads the file again. */
function withRequire(text: string): string {
  return text.replaceAll('import.meta.require("./chunk-', 'require("./chunk-');
}

/** Replaces the commands in the table by their bundle, which is made before: a build within a build never ends. */
export function commandsPlugin({ files }: CommandsBundle): BunPlugin {
  return {
    name: 'commands',
    setup(build) {
      build.onResolve({ filter: /^\.\/commands\/(?!up\.ts$)[\w-]+\.ts$/ }, ({ path }) => ({
        path: basename(path).replace(/ts$/, 'js'),
        namespace: NAMESPACE,
      }));
      build.onResolve({ filter: /^\.\/chunk-\w+\.js$/ }, ({ path }) => ({
        path: basename(path),
        namespace: NAMESPACE,
      }));
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => {
        const contents = files.get(path);
        if (contents === undefined) throw new Error(`the bundle of the commands has no ${path}`);
        return { contents, loader: 'js' };
      });
    },
  };
}
