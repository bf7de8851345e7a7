// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to variables are what is tested
// `svc-super export` as a user runs it: standard output and error, files, exit codes.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from '../helpers/rig.ts';

const SERVICES = `name: chat
env_file: [{ path: chat.env }]
services:
  model: { command: [model], port: 9000, user: nobody, ready: { http: /health } }
  page: { command: [page], port: 8000, depends_on: { model: ready } }
`;

describe('svc-super export', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'svc-super-export-'));
    writeFileSync(join(folder, 'services.yaml'), SERVICES);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([binary, 'export', ...args], { cwd: folder });
    return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
  };

  test('prints one file to standard output and the report to standard error', () => {
    const { code, out, err } = run('kubernetes', '--image', 'chat:1');
    expect(code).toBe(0);
    expect(out).toStartWith('# Made by `svc-super export kubernetes`.');
    expect(err).toContain(`${folder}/services.yaml:4:42: not carried over: \`user\` of model: `);
    expect(err).toContain('\nchanged meaning: the file system: ');
  });

  test('prints several files with their names', () => {
    const { out } = run('slurm', '--image', 'chat:1');
    expect(out.match(/^# ==> .* <==$/gm)).toEqual(['# ==> chat.sbatch <==', '# ==> chat.def <==']);
  });

  test('writes files into a new folder, and replaces no other file unless forced', () => {
    const target = join(folder, 'a/b');
    const first = run('dockerfile', '--image', 'debian', '-o', target);
    expect([first.code, first.out]).toEqual([0, `${target}/Dockerfile\n${target}/services.yaml\n`]);
    expect(readFileSync(join(target, 'services.yaml'), 'utf8')).toBe(SERVICES);
    // Writing the same again is no change.
    expect(run('dockerfile', '--image', 'debian', '-o', target).code).toBe(0);
    const other = run('dockerfile', '--image', 'fedora', '-o', target);
    expect([other.code, other.err]).toEqual([
      1,
      expect.stringContaining(`${target}/Dockerfile: there is another file`),
    ]);
    expect(readFileSync(join(target, 'Dockerfile'), 'utf8')).toContain('FROM debian\n');
    expect(run('dockerfile', '--image', 'fedora', '-o', target, '--force').code).toBe(0);
    expect(readFileSync(join(target, 'Dockerfile'), 'utf8')).toContain('FROM fedora\n');
  });

  test('reports the reason if a folder cannot be created', () => {
    const { code, err } = run('dockerfile', '--image', 'debian', '-o', 'services.yaml/x');
    expect([code, err]).toEqual([1, expect.stringContaining('cannot write to')]);
  });

  test('--json has the files and the findings', () => {
    const { code, out, err } = run('nosana', '--image', 'chat:1', '--json');
    const body = JSON.parse(out);
    expect([code, err, body.ok, body.format]).toEqual([0, '', true, 'nosana']);
    expect(JSON.parse(body.files[0].text).ops[0].args.image).toBe('chat:1');
    for (const finding of body.findings)
      expect(Object.keys(finding)).toEqual(['kind', 'file', 'line', 'column', 'what', 'why', 'instead']);
  });

  test.each([
    [['docker'], 'export knows no format docker: name one of nosana, compose, kubernetes, slurm, dockerfile, systemd'],
    [[], 'export needs a format: name one of nosana'],
    [['nosana', 'compose'], 'export takes one format'],
    [['compose'], 'export compose needs the image that the services run from: add `--image REF`'],
    [['compose', '--image', 'a b'], '--image a b is no reference of an image'],
    [['compose', '--image', 'a', '--per-service'], '--per-service is for `export nosana` only'],
    [['nosana', '--image', 'a', '--recipe', 'x'], '--recipe is for `export slurm` only'],
  ])('%j is an invalid command line', (args, message) => {
    const { code, err, out } = run(...args);
    expect([code, err, out]).toEqual([64, expect.stringContaining(message), '']);
  });

  test('an invalid services.yaml or recipe is reported as by `check`', () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'services: { a: { comand: x } }\n');
    const wrong = run('nosana', '--image', 'a', '-f', 'wrong.yaml');
    expect([wrong.code, wrong.out, wrong.err]).toEqual([78, '', expect.stringContaining('did you mean `command`?')]);
    const json = run('nosana', '--image', 'a', '-f', 'wrong.yaml', '--json');
    expect([json.code, JSON.parse(json.out)]).toMatchObject([
      78,
      { ok: false, diagnostics: [{ code: 'unknown-key' }] },
    ]);
    writeFileSync(join(folder, 'recipe.yaml'), 'resources: { cpu: many }\n');
    const recipe = run('slurm', '--image', 'a', '--recipe', 'recipe.yaml');
    expect([recipe.code, recipe.err]).toEqual([78, expect.stringContaining('recipe.yaml:1:19: error: `cpu`')]);
    const asJson = JSON.parse(run('slurm', '--image', 'a', '--recipe', 'recipe.yaml', '--json').out);
    expect(asJson.file).toBe(join(folder, 'recipe.yaml'));
    const missing = run('slurm', '--image', 'a', '--recipe', 'none.yaml');
    expect([missing.code, missing.err]).toEqual([78, expect.stringContaining('cannot read the recipe')]);
    expect(existsSync(join(folder, 'a.sbatch'))).toBe(false);
  });

  test('the environment of the exporting machine has no effect', () => {
    const file = join(folder, 'variables.yaml');
    writeFileSync(file, 'services: { a: { command: [a], port: "${PORT_A:-80}", env: { KEY: "${SECRET_KEY}" } } }\n');
    const command = [binary, 'export', 'compose', '--image', 'a', '-f', file];
    const bare = Bun.spawnSync(command, { env: {} }).stdout.toString();
    const rich = Bun.spawnSync(command, { env: { PORT_A: '81', SECRET_KEY: 'geheim' } }).stdout.toString();
    expect(rich).toBe(bare);
    expect(rich).toContain('80:80');
  });
});
