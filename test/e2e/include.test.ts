// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// A configuration of several files on the real binary: it is checked, started, reloaded and kept by a successor as a whole.
import { expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { played, up, useRig } from '../helpers/rig.ts';
import { ConfigFolder } from '../helpers/trap-config.ts';

useRig();

const names = (services: readonly { readonly name: string }[]) => services.map(({ name }) => name);

test('files of the command line and included ones are started, and read again by the reload of a successor', async () => {
  const services = { include: 'conf.d/*.yaml', services: { a: played() } };
  await using run = await up(services, {
    args: ['-f', 'services.yaml', '-f', 'more.yaml'],
    files: { 'more.yaml': JSON.stringify({ services: { b: played({ depends_on: ['a'] }) } }) },
    leaves: ['conf.d', 'more.yaml'],
  });
  await run.puppet('a');
  await run.puppet('b');
  await run.status();
  process.kill(run.supervisor.outer, 'SIGKILL');
  await run.line(/the supervisor was killed by SIGKILL and was restarted/);
  mkdirSync(join(run.folder, 'conf.d'));
  writeFileSync(join(run.folder, 'conf.d/c.yaml'), JSON.stringify({ services: { c: played() } }));
  expect((await run.command('reload')).stdout).toBe('+ c: starts\napplied; 2 unchanged\n');
  await run.puppet('c');
  expect(names((await run.status()).services)).toEqual(['a', 'c', 'b']);
  writeFileSync(join(run.folder, 'conf.d/d.yaml'), 'services: { c: { cwd: [1] } }\n');
  const refused = await run.command('reload');
  expect(refused.code).toBe(78);
  expect(refused.stderr).toContain(`${join(run.folder, 'conf.d/d.yaml')}:1:23: error`);
});

test('check reads the files of -f or of SVC_SUPER_CONFIG together, and prints what they amount to', async () => {
  using folder = new ConfigFolder({
    'services.yaml': 'include: own.yaml\nservices:\n  a: { command: touch ran, env: { B: "${B:-2}" } }\n',
    'own.yaml': 'services: { a: { env_file: x.env } }\n',
    'x.env': 'A=1\n',
    'more.yaml': 'services: { a: { env: { C: 3 } } }\n',
  });
  const text = `name: ${folder.path.split('/').pop()}  # the file's folder
services:
  a:
    command: touch ran  # services.yaml:3
    env:
      B: "2"  # services.yaml:3
      C: 3  # more.yaml:1
    env_file: ${folder.in('x.env')}  # own.yaml:1
`;
  const together = await folder.run(['check', '--resolved', '-f', 'services.yaml', '-f', 'more.yaml']);
  const ok = `${folder.in('services.yaml')}: ok, 3 files, 1 service\n`;
  expect(together).toEqual({ code: 0, stdout: text, stderr: ok });
  const listed = await folder.run(['check', '--json'], { env: { SVC_SUPER_CONFIG: 'services.yaml:more.yaml' } });
  expect(JSON.parse(listed.stdout)).toMatchObject({
    ok: true,
    files: ['services', 'own', 'more'].map((name) => folder.in(`${name}.yaml`)),
  });
  const apart = await folder.run(['check', 'services.yaml', 'more.yaml']);
  expect(apart.code).toBe(78);
  expect(apart.stderr).toContain('more.yaml:1:13: error: the service `a` has no `command`');
  expect(folder.isUntouched).toBe(true);
});
