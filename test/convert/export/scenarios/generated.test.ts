// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Generated files with every field, in combinations that no example has: each export is deterministic and is accepted by the
// target's own reader.
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validateJobDefinition } from '@nosana/types';
import fc from 'fast-check';
import { readSource } from '../../../../src/convert/export/source.ts';
import { skipWhen } from '../../../helpers/skip.ts';
import { noValidators, VALIDATOR_COMMANDS } from '../../oracle.ts';
import { lintDefinition } from '../apptainer-lint.ts';
import { file } from '../plans.ts';
import { exported, FORMS } from '../rig.ts';

// The validators read dozens of files each.
setDefaultTimeout(60_000);

const SEED = 20_261_130;
const COUNT = 40;

/** Files that `check` accepts; combinations that it refuses are left out. */
const files = fc
  .sample(file, { seed: SEED, numRuns: COUNT * 2 })
  .filter((one) => readSource('services.yaml', one).ok)
  .slice(0, COUNT);

const folder = mkdtempSync(join(tmpdir(), 'svc-super-generated-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes an output of every file, and runs one program on all of them. */
async function validateAll(form: string, program: keyof typeof VALIDATOR_COMMANDS): Promise<string> {
  const options = FORMS.find(([title]) => title === form)?.[1];
  if (options === undefined) throw new Error(form);
  const paths: string[] = [];
  for (const [index, one] of files.entries()) {
    const [made] = (await exported(one, options)).files;
    const own = join(folder, `${form.replaceAll(/\W+/g, '-')}-${program}-${index}`);
    mkdirSync(own);
    const path = join(own, made?.name ?? '');
    writeFileSync(path, made?.text ?? '');
    // Compose reads environment files where it runs.
    writeFileSync(join(own, 'a.env'), 'X=1\n');
    paths.push(path);
  }
  const { exitCode, stdout, stderr } = Bun.spawnSync([...VALIDATOR_COMMANDS[program], ...paths]);
  return exitCode === 0 ? '' : `${stdout}${stderr}`;
}

test('most generated files are good ones', () => {
  expect(files.length).toBe(COUNT);
});

test('every export of every file ends, twice with the same result', async () => {
  for (const one of files) {
    for (const [, options] of FORMS) expect(await exported(one, options)).toEqual(await exported(one, options));
  }
});

test('nosana: @nosana/types', async () => {
  for (const one of files) {
    for (const perService of [false, true]) {
      const [made] = (await exported(one, { format: 'nosana', perService })).files;
      const verdict = validateJobDefinition(JSON.parse(made?.text ?? ''));
      expect({ one, verdict }).toMatchObject({ verdict: { success: true } });
    }
  }
});

test('slurm: bash -n, and the definition', async () => {
  expect(await validateAll('slurm', 'bash')).toBe('');
  for (const one of files.slice(0, 10)) {
    const [, definition] = (await exported(one, { format: 'slurm' })).files;
    expect(lintDefinition(definition?.text ?? '')).toEqual([]);
  }
});

describe.skipIf(skipWhen([noValidators], 'the validators of exports'))('the target’s own reader', () => {
  test('compose-go', async () => expect(await validateAll('compose', 'compose')).toBe(''));
  test('kubernetes-validate --strict', async () => expect(await validateAll('kubernetes', 'kubernetes')).toBe(''));
  test('kubernetes-validate --strict, one container', async () =>
    expect(await validateAll('kubernetes --one-container', 'kubernetes')).toBe(''));
  test('ShellCheck', async () => expect(await validateAll('slurm', 'shellcheck')).toBe(''));
  test('hadolint', async () => expect(await validateAll('dockerfile', 'dockerfile')).toBe(''));
  test('Podman’s quadlet code', async () => expect(await validateAll('systemd', 'quadlet')).toBe(''));
});
