// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// An export of several files: the merged configuration is exported, and findings and errors name the places of the files.
import { expect, test } from 'bun:test';
import { renderDiagnostics } from '../../../src/config/diagnostic.ts';
import { exportServices } from '../../../src/convert/export/export.ts';
import { readExportText } from '../../../src/convert/export/merged.ts';
import type { ExportFormatName } from '../../../src/convert/export/table.ts';
import { renderFindings } from '../../../src/convert/findings.ts';
import { memoryFiles } from '../../config/rig.ts';

const MAIN = 'include: conf.d/*.yaml\nservices:\n  web:\n    command: [serve, "${PORT}"]\n';

/** The files and findings, or what is wrong, of services.yaml and other files beside it. */
async function exported(format: ExportFormatName, main: string, others: Readonly<Record<string, string>>) {
  const files = memoryFiles({ '/app/services.yaml': main, ...others });
  const path = '/app/services.yaml';
  const read = readExportText([path], files, {});
  const options = { path, image: 'x:1', perService: false, oneContainer: false, recipe: null };
  const result = read.ok ? read.value.place(await exportServices({ format, text: read.value.text, ...options })) : read;
  return result.ok
    ? { files: result.value.files, findings: renderFindings(result.value.findings), wrong: '' }
    : { files: [], findings: '', wrong: renderDiagnostics(result.error) };
}

test('the services of all files are in the output, and variables are kept', async () => {
  const { files } = await exported('compose', MAIN, {
    '/app/conf.d/db.yaml': 'services:\n  db: { command: [db], env_file: db.env }\n  web: { depends_on: [db] }\n',
  });
  const [compose] = files;
  expect(compose?.text).toContain('  db:\n');
  expect(compose?.text).toContain('${PORT');
  expect(compose?.text).toContain('conf.d/db.env');
});

test('the services.yaml beside a Dockerfile is the merged one', async () => {
  const { files } = await exported('dockerfile', MAIN, { '/app/conf.d/a.yaml': 'services: { web: { cwd: /srv } }\n' });
  const copy = files.find(({ name }) => name === 'services.yaml');
  expect(copy?.text).toContain('    cwd: /srv  # conf.d/a.yaml:1\n');
  expect(copy?.text).not.toContain('include');
});

test('findings and errors name the place in the file that has the value', async () => {
  const lost = { '/app/conf.d/a.yaml': '# one\n# two\nservices:\n  web:\n    forward: [HUP]\n' };
  expect((await exported('compose', MAIN, lost)).findings).toContain('/app/conf.d/a.yaml:5:15: not carried over: ');
  const wrong = { '/app/conf.d/a.yaml': '# one\nservices:\n  web:\n    depends_on: [nothing]\n' };
  expect((await exported('compose', MAIN, wrong)).wrong).toContain('/app/conf.d/a.yaml:4:');
});

test('a file that cannot be read or parsed is an error', async () => {
  const missing = 'include: none.yaml\nservices: { web: { command: run } }\n';
  expect((await exported('compose', missing, {})).wrong).toContain('/app/services.yaml:1:10: error: cannot read');
  expect((await exported('compose', MAIN, { '/app/conf.d/a.yaml': '{' })).wrong).toContain('/app/conf.d/a.yaml:1:');
  expect((await exported('compose', '{', {})).wrong).toContain('/app/services.yaml:1:');
});
