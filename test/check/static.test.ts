// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// `check` of a configuration: which errors count for a file alone, for an image that is being built, and for a container.
import { expect, test } from 'bun:test';
import { type CheckKind, checkConfiguration } from '../../src/check/static.ts';
import { memoryFiles, PATH } from '../config/rig.ts';

function check(kind: CheckKind, ...fields: readonly string[]) {
  const text = `services:\n  a:\n${['command: /bin/a', ...fields].map((field) => `    ${field}\n`).join('')}`;
  const input = { path: PATH, files: memoryFiles({ [PATH]: text }), environment: {} };
  const { result, plan, inspected } = checkConfiguration(input, kind, () => ({
    vendor: null,
    devices: [],
    driver: null,
    forbidden: 0,
  }));
  const { diagnostics } = result.ok ? { diagnostics: result.value.warnings } : result.error;
  return {
    found: diagnostics.map(({ severity, code }) => `${severity} ${code}`),
    ok: result.ok,
    hasPlan: plan !== null,
    isInspected: inspected !== null,
  };
}

test('what comes at run time is missing: an error at a start, a warning for the file and the image', () => {
  const fields = ['env: {A: "${A}"}', 'env_file: a.env'];
  const missing = (severity: string) => [`${severity} unset-variable`, `${severity} file-missing`];
  expect(check('start', ...fields)).toEqual({ found: missing('error'), ok: false, hasPlan: false, isInspected: false });
  const result = { found: missing('warning'), ok: true, hasPlan: false };
  expect(check('static', ...fields)).toEqual({ ...result, isInspected: false });
  expect(check('build', ...fields)).toEqual({ ...result, isInspected: true });
  expect(check('build', ...fields, 'restrat: always').isInspected).toBe(false);
});

test('users and virtual environments of this machine are warnings for the file, and errors for the image', () => {
  const fields = ['user: nosuch', 'venv: /opt/nosuch'];
  const missing = (severity: string) => [`${severity} unknown-user`, `${severity} no-venv`];
  expect(check('static', ...fields)).toMatchObject({ found: missing('warning'), ok: true });
  for (const kind of ['start', 'build'] as const)
    expect(check(kind, ...fields)).toMatchObject({ found: missing('error'), ok: false });
});

test('any other error stays an error', () => {
  expect(check('static', 'env: {A: "${A}"}', 'restrat: always').ok).toBe(false);
});

test('GPUs are counted in the container only, which is inspected without them', () => {
  expect(check('static', 'gpus: 1')).toMatchObject({ ok: true, hasPlan: true });
  expect(check('start', 'gpus: 1')).toMatchObject({ ok: false, isInspected: false });
  expect(check('runtime', 'gpus: 1')).toMatchObject({ ok: false, hasPlan: false, isInspected: true });
});

test('that nothing would start is a warning for the file and the image: variables of the container may enable a service', () => {
  for (const [field, code] of [
    ['enabled: "${A:-}"', 'nothing-enabled'],
    ['start: manual', 'nothing-starts'],
  ] as const) {
    for (const kind of ['static', 'build'] as const)
      expect(check(kind, field)).toMatchObject({ found: [`warning ${code}`], ok: true });
    expect(check('start', field)).toMatchObject({ found: [`error ${code}`], ok: false });
  }
});
