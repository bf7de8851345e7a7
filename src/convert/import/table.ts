// The table of the formats that can be imported: its names, how each is recognized, and how it is loaded. An importer is loaded when its
// format is asked for.
import { findTree } from './s6-tree.ts';
import type { Importer, ImportInput } from './source.ts';

export interface Format {
  /** A noun phrase for messages: `a Compose file`. */
  readonly about: string;
  /** How likely the source is of this format, from its path and its text: 0 (no) to 3 (certain). */
  recognise(input: Pick<ImportInput, 'path' | 'text' | 'list'>): number;
  load(): Promise<Importer>;
}

const nameOf = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? '';

export const FORMATS = {
  compose: {
    about: 'a Compose file',
    recognise: ({ path, text }) =>
      /^services:/m.test(text) && /^\s+(?:image|build|extends|container_name):/m.test(text)
        ? 3
        : /compose.*\.ya?ml$/.test(nameOf(path))
          ? 2
          : 0,
    load: async () => (await import('./compose.ts')).importCompose,
  },
  supervisord: {
    about: 'a supervisord.conf with the files that it includes',
    recognise: ({ path, text }) =>
      /^\[(?:program|supervisord|eventlistener)\b/m.test(text)
        ? 3
        : /supervisord?.*\.(?:conf|ini)$/.test(nameOf(path))
          ? 2
          : 0,
    load: async () => (await import('./supervisord.ts')).importSupervisord,
  },
  nosana: {
    about: 'a Nosana job',
    recognise: ({ text }) => (/container\/run/.test(text) && /["']?ops["']?\s*:/.test(text) ? 3 : 0),
    load: async () => (await import('./nosana.ts')).importNosana,
  },
  recipe: {
    about: 'a recipe of an HPC site (container, resources, slurm)',
    recognise: ({ text }) => (/^container:/m.test(text) && /^(?:resources|slurm):/m.test(text) ? 3 : 0),
    load: async () => (await import('./recipe.ts')).importRecipe,
  },
  'start.sh': {
    about: 'a start script of the kind `cmd & cmd & wait -n`',
    recognise: ({ path, text }) => (/^#!.*\b(?:ba|da|a|z)?sh\b/.test(text) ? 3 : /\.sh$/.test(nameOf(path)) ? 2 : 0),
    load: async () => (await import('./shell.ts')).importShell,
  },
  s6: {
    about: 'a folder with an s6-overlay tree',
    recognise: (input) => (input.text === '' && findTree(input) !== null ? 3 : 0),
    load: async () => (await import('./s6.ts')).importS6,
  },
  procfile: {
    about: 'a Procfile (Heroku, foreman, honcho)',
    recognise: ({ path, text }) => (/^Procfile/i.test(nameOf(path)) ? 3 : /^web:\s*\S.*$/m.test(text) ? 1 : 0),
    load: async () => (await import('./procfile.ts')).importProcfile,
  },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

export const isFormat = (name: string): name is FormatName => Object.hasOwn(FORMATS, name);

/** The most likely format of a source; null: none is likely. */
export function recogniseFormat(input: Pick<ImportInput, 'path' | 'text' | 'list'>): FormatName | null {
  let best: FormatName | null = null;
  let most = 0;
  for (const name of FORMAT_NAMES) {
    const sure = FORMATS[name].recognise(input);
    if (sure > most) [best, most] = [name, sure];
  }
  return best;
}
