// Every example through every export, and each output through the target's own reader.
import { describe, expect, test } from 'bun:test';
import { validateJobDefinition } from '@nosana/types';
import { skipWhen } from '../../../helpers/skip.ts';
import { noValidators, validate } from '../../oracle.ts';
import { lintDefinition } from '../apptainer-lint.ts';
import { EXAMPLES, exported, exportedText, FORMS } from '../rig.ts';

const all = FORMS.flatMap(([form, options]) => EXAMPLES.map(([name, text]) => ({ form, options, name, text })));

describe('every example through every export', () => {
  test.each(all.map((one) => [`${one.form} of ${one.name}`, one] as const))('%s', async (_title, { options, text }) => {
    const { files, findings } = await exported(text, options);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(file.text).toEndWith('\n');
    // A finding names a place of the file that exists, unless it is about the whole.
    const lines = text.split('\n').length;
    for (const { where } of findings) if (where !== null) expect(where.line).toBeWithin(1, lines + 1);
    // The same input gives the same output.
    expect(await exported(text, options)).toEqual({ files, findings });
  });
});

const of = (form: string) =>
  EXAMPLES.map(
    ([name, text]) =>
      [name, text, FORMS.find(([title]) => title === form)?.[1] ?? { format: 'nosana' as const }] as const,
  );

describe('nosana: @nosana/types', () => {
  test.each([...of('nosana'), ...of('nosana --per-service')])('%s', async (_name, text, options) => {
    const { text: job } = await exportedText(text, options);
    expect(validateJobDefinition(JSON.parse(job))).toMatchObject({ success: true });
  });
});

describe.skipIf(skipWhen([noValidators], 'the validators of exports'))('the target’s own reader', () => {
  test.each(of('compose'))('compose-go: %s', async (_name, text, options) => {
    // Required files would have to exist on this machine.
    const found = (await exportedText(text, options)).text.replaceAll('required: true', 'required: false');
    validate('compose', 'compose.yaml', found);
  });

  test.each([...of('kubernetes'), ...of('kubernetes --one-container')])(
    'kubernetes-validate --strict: %s',
    async (_name, text, options) => {
      validate('kubernetes', 'pod.yaml', (await exportedText(text, options)).text);
    },
  );

  test.each(of('dockerfile'))('hadolint: %s', async (_name, text, options) => {
    validate('dockerfile', 'Dockerfile', (await exportedText(text, options)).text);
  });

  test.each(of('systemd'))('Podman’s quadlet code and systemd-analyze verify: %s', async (_name, text, options) => {
    const { files } = await exported(text, options);
    const [{ name, text: quadlet } = { name: '', text: '' }] = files;
    const unit = validate('quadlet', name, quadlet);
    expect(unit).toContain('ExecStart=');
    validate('unit', name.replace('.container', '.service'), unit);
  });

  test.each(of('slurm'))('ShellCheck: %s', async (_name, text, options) => {
    validate('shellcheck', 'job.sbatch', (await exportedText(text, options)).text);
  });

  test('a misspelt key is found by each of them', async () => {
    const [, text = ''] = EXAMPLES.find(([name]) => name === 'vllm-open-webui') ?? [];
    const wrong = async (format: 'compose' | 'kubernetes' | 'systemd', from: string, to: string) =>
      (await exportedText(text, { format })).text.replace(from, to);
    const compose = await wrong('compose', 'healthcheck:', 'healtcheck:');
    expect(() => validate('compose', 'compose.yaml', compose)).toThrow('healtcheck');
    const pod = await wrong('kubernetes', 'startupProbe:', 'startProbe:');
    expect(() => validate('kubernetes', 'pod.yaml', pod)).toThrow('startProbe');
    const quadlet = await wrong('systemd', 'HealthCmd=', 'HealthCommand=');
    expect(() => validate('quadlet', 'chat.container', quadlet)).toThrow('HealthCommand');
  });
});

describe('slurm', () => {
  test.each(of('slurm'))('bash -n, and the definition as Apptainer reads it: %s', async (_name, text, options) => {
    const { files } = await exported(text, options);
    const [script, definition] = files;
    validate('bash', 'job.sbatch', script?.text ?? '');
    expect(lintDefinition(definition?.text ?? '')).toEqual([]);
  });
});
