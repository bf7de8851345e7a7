// `svc-super import` as a command: what it reads, where it writes, what it prints and the exit code.
import { describe, expect, test } from 'bun:test';
import type { CommandContext } from '../../../src/cli/command.ts';
import command from '../../../src/cli/commands/import.ts';
import { memoryFiles } from '../../config/rig.ts';

const FILES = {
  '/w/start.sh': '#!/bin/sh\nA=1 web --port 80 &\nwait\n',
  '/w/Procfile': 'web: run\nno entry\n',
  '/w/supervisord.conf': '[supervisord]\n[program:a]\ncommand=a\n',
  '/w/compose.yaml': 'services: {a: {image: x, entrypoint: [a]}}\n',
  '/w/job.json': '{"ops": [{"type": "container/run", "id": "a", "args": {"image": "x", "entrypoint": ["a"]}}]}\n',
  '/w/recipe.yaml': 'name: a\ncontainer: {image: x}\nresources: {gpu: 1}\n',
  '/w/tree/etc/services.d/a/run': '#!/bin/sh\nexec a\n',
  '/w/notes.txt': 'nothing\n',
  '/w/empty.conf': '[supervisord]\n',
  '/w/images.json': '[{"RepoTags": ["x:latest"], "Config": {"Cmd": ["c"], "User": "u"}}]',
} as const;

async function run(
  positionals: readonly string[],
  values: Readonly<Record<string, string | boolean>> = {},
  lists: Readonly<Record<string, readonly string[]>> = {},
  whyNotSaved: string | null = null,
) {
  const printed = { out: '', err: '', saved: new Map<string, string>() };
  const context = {
    cwd: '/w',
    files: memoryFiles(FILES),
    list: (path: string) => {
      const below = Object.keys(FILES)
        .filter((file) => file.startsWith(`${path}/`))
        .map((file) => file.slice(path.length + 1));
      const names = below.map((file) => (file.includes('/') ? `${file.slice(0, file.indexOf('/'))}/` : file));
      return names.length > 0 ? [...new Set(names)].sort() : null;
    },
    out: (text: string) => {
      printed.out += text;
    },
    err: (text: string) => {
      printed.err += text;
    },
    save: (path: string, text: string) => {
      if (whyNotSaved !== null) throw new Error(whyNotSaved);
      printed.saved.set(path, text);
    },
  } as unknown as CommandContext;
  const code = await command.run(context, { values, positionals, lists });
  return { code, ...printed };
}

describe('svc-super import', () => {
  test('prints the result on standard output and the report on standard error', async () => {
    const { code, out, err } = await run(['procfile', 'Procfile']);
    expect({ code, out }).toEqual({
      code: 0,
      out: 'services:\n  # Procfile:1\n  web:\n    command: run\n    port: 5000\n',
    });
    expect(err).toStartWith('Procfile:2:1: not carried over: no entry: ');
  });

  test('-o writes the result to a file', async () => {
    const { code, out, saved } = await run(['procfile', 'Procfile'], { output: 'sub/services.yaml' });
    expect({ code, out, saved: [...saved.keys()] }).toEqual({ code: 0, out: '', saved: ['/w/sub/services.yaml'] });
  });

  test('--json prints both', async () => {
    const { out, err } = await run(['procfile', 'Procfile'], { json: true });
    const { ok, format, output, findings } = JSON.parse(out);
    expect({ ok, format, err }).toEqual({ ok: true, format: 'procfile', err: '' });
    expect(output).toContain('command: run');
    expect(findings[0]).toMatchObject({ kind: 'lost', file: 'Procfile', line: 2, column: 1, what: 'no entry' });
  });

  test('a result that cannot be written is a failure, in JSON too', async () => {
    const { code, out, err } = await run(['procfile', 'Procfile'], { output: 'x', json: true }, {}, 'no space');
    expect([code, err]).toEqual([1, 'svc-super: cannot write x: no space\n']);
    expect(JSON.parse(out)).toEqual({ ok: false, message: 'cannot write x: no space', output: null, findings: [] });
  });

  test.each([
    ['start.sh', 'start.sh'],
    ['Procfile', 'procfile'],
    ['supervisord.conf', 'supervisord'],
    ['compose.yaml', 'compose'],
    ['job.json', 'nosana'],
    ['recipe.yaml', 'recipe'],
    ['tree', 's6'],
  ])('auto recognizes %s as %s', async (path, format) => {
    expect(JSON.parse((await run(['auto', path], { json: true })).out).format).toBe(format);
  });

  test('--image-config says what an image runs', async () => {
    const { out } = await run(['compose', 'compose.yaml'], {}, { 'image-config': ['images.json'] });
    expect(out).toContain('user: u');
  });

  test.each([
    ['no format', [], 64, 'import reads compose, supervisord,'],
    ['an unknown format', ['nonsense', 'x'], 64, 'name one of them before the file'],
    ['two files', ['procfile', 'Procfile', 'Procfile'], 64, 'import procfile reads one file, and 2 are named'],
    ['no file', ['compose'], 64, 'import compose needs the file to read'],
    ['a file that is not there', ['compose', 'none.yaml'], 78, 'cannot read none.yaml: there is no such file'],
    ['a file of no format', ['auto', 'notes.txt'], 78, 'notes.txt looks like no format that can be imported'],
    ['a file of another format', ['compose', 'Procfile'], 78, 'cannot import Procfile'],
    ['nothing that runs', ['supervisord', 'empty.conf'], 78, 'there is no `[program:NAME]` in it'],
  ] as const)('%s', async (_, positionals, code, words) => {
    const result = await run(positionals);
    expect(result.code).toBe(code);
    expect(result.err).toContain(words);
    expect(result.out).toBe('');
  });
});
