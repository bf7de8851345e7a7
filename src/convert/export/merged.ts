// The text that is exported if the configuration has several files: one merged text. Translates places in that text to places in
// the files, for findings and errors. Exports nothing itself. Reads files only through its argument.
import type { Diagnostic, Failure, Related, Result } from '../../config/diagnostic.ts';
import type { FileReader } from '../../config/file.ts';
import { loadDraft } from '../../config/load.ts';
import type { Place } from '../../config/range.ts';
import { nameOf } from '../../plan/expand.ts';
import { type Finding, sortFindings } from '../findings.ts';
import { writeResolved } from '../resolved.ts';
import type { ExportResult } from './export.ts';

/** One text of services.yaml. */
export interface ExportText {
  readonly text: string;
  /** Replaces places in `text` by places in the files that it was made from. */
  place(result: Result<ExportResult, Failure>): Result<ExportResult, Failure>;
}

/** The text of a configuration: a single file as it is, several files merged. Fails if they cannot be read or merged. */
export function readExportText(
  paths: readonly string[],
  files: FileReader,
  environment: Readonly<Record<string, string>>,
): Result<ExportText, Failure> {
  const { config, root, isMerged, diagnostics, sources } = loadDraft(paths, files, environment);
  const [path = ''] = paths;
  const text = isMerged === true || config === null ? undefined : sources.get(path);
  if (text !== undefined) return { ok: true, value: { text, place: (result) => result } };
  if (config === null || root === undefined) return { ok: false, error: { diagnostics, sources } };
  const resolved = writeResolved({ root, config, environment, how: 'references' }, nameOf(config));
  const place = (result: Result<ExportResult, Failure>) => placeResult(result, path, resolved.places, sources);
  return { ok: true, value: { text: resolved.text, place } };
}

/** `places`: for each line of the text of `path`, the place in a file. */
function placeResult(
  result: Result<ExportResult, Failure>,
  path: string,
  places: readonly (Place | null)[],
  sources: ReadonlyMap<string, string>,
): Result<ExportResult, Failure> {
  const placeOf = (file: string, line: number): Place | null => (file === path ? (places[line - 1] ?? null) : null);
  if (result.ok) {
    const findings = result.value.findings.map((finding): Finding => {
      const found = finding.where === null ? null : placeOf(finding.where.file, finding.where.line);
      if (found === null) return finding;
      const { line, column } = found.range;
      return { ...finding, where: { file: found.file, line, column } };
    });
    return { ok: true, value: { ...result.value, findings: sortFindings(findings) } };
  }
  const move = <T extends Related>(one: T): T => ({ ...one, ...placeOf(one.file, one.range.line) });
  const diagnostics = result.error.diagnostics.map((one): Diagnostic => {
    const { related, ...rest } = move(one);
    return related === undefined ? rest : { ...rest, related: related.map(move) };
  });
  return { ok: false, error: { diagnostics, sources: new Map([...result.error.sources, ...sources]) } };
}
