// Bundles the dashboard into its page: one file of HTML with its styles and its script, which src/control/dashboard.ts imports
// as text. The compiler of the supervisor gets it through a plugin.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BunPlugin } from 'bun';

const folder = join(import.meta.dir, '../src/dashboard');
/** In the order of precedence, the last one wins. */
const STYLES = ['base', 'overview', 'views', 'narrow'];

export interface DashboardBundle {
  readonly page: string;
  /** The files in it, relative to the current folder. */
  readonly inputs: readonly string[];
}

export async function bundleDashboard(): Promise<DashboardBundle> {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [join(folder, 'main.tsx')],
    target: 'browser',
    format: 'iife',
    minify: true,
    metafile: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const script = await outputs[0]?.text();
  if (script === undefined) throw new Error('the bundle of the dashboard has no output');
  // The end of a script element must not occur in it.
  if (/<\/script/i.test(script)) throw new Error('the script of the dashboard contains </script');
  const styles = STYLES.map((name) => readFileSync(join(folder, 'styles', `${name}.css`), 'utf8'))
    .join('')
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/\s+/g, ' ');
  const page = readFileSync(join(folder, 'page.html'), 'utf8')
    .replace('<style></style>', () => `<style>${styles}</style>`)
    .replace('<script></script>', () => `<script>${script.trim()}</script>`);
  return { page, inputs: Object.keys(metafile?.inputs ?? {}) };
}

/** Replaces the import of the page by the complete page. The bundle is made before: a build within a build never ends. */
export function dashboardPage({ page }: DashboardBundle): BunPlugin {
  return {
    name: 'dashboard',
    setup(build) {
      build.onLoad({ filter: /\/src\/dashboard\/page\.html$/ }, () => ({ contents: page, loader: 'text' }));
    },
  };
}
