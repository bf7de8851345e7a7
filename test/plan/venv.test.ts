// The effect of a Python virtual environment on a service's environment, and the errors for a missing one.
import { describe, expect, test } from 'bun:test';
import { oneService, printed, serviceOf } from '../config/rig.ts';

const THERE = { '/opt/venv': null, '/opt/venv/bin/python': '', '/app/.venv': null, '/app/.venv/bin/python3': '' };
const envOf = (lines: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  serviceOf(oneService('command: [python]', ...lines), { files: THERE, environment }).env;

describe('venv', () => {
  test('puts its bin first, sets VIRTUAL_ENV, and removes PYTHONHOME', () => {
    const env = envOf(['venv: /opt/venv/'], { PATH: '/usr/bin:/bin', PYTHONHOME: '/usr', VIRTUAL_ENV: '/other' });
    expect(env).toMatchObject({ PATH: '/opt/venv/bin:/usr/bin:/bin', VIRTUAL_ENV: '/opt/venv' });
    expect(env).not.toHaveProperty('PYTHONHOME');
  });

  test('is relative to the folder of services.yaml', () => {
    expect(envOf(['venv: .venv'], { PATH: '/bin' }).PATH).toBe('/app/.venv/bin:/bin');
  });

  test('comes before a PATH of the service, without a duplicate; other variables are unchanged', () => {
    const own = envOf(['venv: /opt/venv', 'env: { PATH: "/mine:/opt/venv/bin", VIRTUAL_ENV: x, PYTHONHOME: /y }']);
    expect(own).toMatchObject({ PATH: '/opt/venv/bin:/mine', VIRTUAL_ENV: 'x', PYTHONHOME: '/y' });
  });

  test('without any PATH keeps the default folders', () => {
    expect(envOf(['venv: /opt/venv', 'env_inherit: none']).PATH).toBe(
      '/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    );
  });

  test('that does not exist, is not a folder, or has no Python is an error', () => {
    const said = (files: Readonly<Record<string, string | null>>) =>
      printed(oneService('command: [python]', 'venv: /opt/venv'), { files });
    expect(
      said({}),
    ).toBe(`services.yaml:4:11: error: \`venv\` is not a virtual environment: there is no folder /opt/venv
   4 |     venv: /opt/venv
     |           ~~~~~~~~~
     help: create it in the image: \`python3 -m venv /opt/venv\`
`);
    expect(said({ '/opt/venv': '' })).toContain('/opt/venv is not a folder');
    expect(said({ '/opt/venv': null })).toContain('there is no Python at /opt/venv/bin/python');
  });
});
