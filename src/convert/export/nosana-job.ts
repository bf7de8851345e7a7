// What both forms of `export nosana` share: the definition around the operations.
import type { OutputFile } from './format.ts';
import { toLabel } from './names.ts';
import type { ExportSource } from './source.ts';

/** The definition around operations, as a file. */
export function renderJob(source: ExportSource, ops: readonly object[]): OutputFile {
  const job = { version: '0.1', type: 'container', meta: { trigger: 'cli' }, ops };
  return { name: `${toLabel(source.name)}.json`, text: `${JSON.stringify(job, null, 2)}\n` };
}
