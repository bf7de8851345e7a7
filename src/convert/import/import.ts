// One import from beginning to end: the importer of the format makes a draft, the draft is read back as `check` reads it,
// and the findings are put in order. Text in, text and findings out.
import type { Diagnostic } from '../../config/diagnostic.ts';
import { type Finding, sortFindings, type Where } from '../findings.ts';
import { writeAccepted } from './readback.ts';
import { type ImportInput, Report } from './source.ts';
import { FORMATS, type FormatName } from './table.ts';

/** The result of an import. `problems` are complaints about a draft that could not be repaired: a bug in the importer. */
export type ImportResult =
  | { readonly ok: true; readonly text: string; readonly findings: readonly Finding[] }
  | {
      readonly ok: false;
      readonly where: Where | null;
      readonly message: string;
      readonly problems: readonly Diagnostic[];
    };

/** Imports a source of a known format. */
export async function importSource(format: FormatName, input: ImportInput): Promise<ImportResult> {
  if (input.text.includes('\0')) return fail('it holds a NUL character');
  const importer = await FORMATS[format].load();
  const imported = importer(input);
  if (!imported.ok) return { ...imported, problems: [] };
  const report = new Report();
  const { text, problems } = writeAccepted(imported.draft, report);
  if (text !== null) return { ok: true, text, findings: sortFindings([...imported.findings, ...report.findings]) };
  if (problems.every(({ code }) => code === 'nothing-enabled' || code === 'nothing-starts'))
    return fail('nothing in it is switched on, so there would be nothing to run');
  if (problems.some(({ code }) => code === 'file-too-large' || code === 'too-large'))
    return fail('the services.yaml for it would be larger than 1 MiB');
  return fail(`what came of it would be refused: ${problems[0]?.message}`, problems);
}

const fail = (message: string, problems: readonly Diagnostic[] = []): ImportResult => ({
  ok: false,
  where: null,
  message,
  problems,
});
