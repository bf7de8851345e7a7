// What every export format has in common: its options, its output files, and how it is called.
import type { Recipe } from '../recipe.ts';
import type { Reporter } from './report.ts';
import type { ExportSource } from './source.ts';

export interface ExportOptions {
  /** The image that all services run from. */
  readonly image: string;
  /** `nosana`: one operation per service. */
  readonly perService: boolean;
  /** `kubernetes`: one container with svc-super in it. */
  readonly oneContainer: boolean;
  /** `slurm`: settings of the site and of the job. */
  readonly recipe: Recipe | null;
}

export interface OutputFile {
  /** Without a folder. */
  readonly name: string;
  readonly text: string;
  /** A copy of the input, which the other files name; it is written to a folder only. */
  readonly isCopy?: true;
}

/** Makes the files of one format; what they lack goes to the reporter. Pure. */
export type Exporter = (source: ExportSource, options: ExportOptions, reporter: Reporter) => readonly OutputFile[];

/** Where the services.yaml of an image is. Relative paths in it are relative to this folder. */
export const CONFIG_FOLDER = '/etc/svc-super';
export const CONFIG_FILE = `${CONFIG_FOLDER}/services.yaml`;
