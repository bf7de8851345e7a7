// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The script of a definition file as a command: its interpreter, its indentation, its arguments.
import { describe, expect, test } from 'bun:test';
import { importText, lines } from './rig.ts';

/** The written command, and the findings about it. */
async function scriptOf(...definition: readonly string[]) {
  const recipe = 'name: a\ncontainer: { definition: a.def }\n';
  const read = (path: string) => (path === 'a.def' ? definition.join('\n') : null);
  const result = await importText('recipe', recipe, { path: 'a.yaml', read });
  if (!result.ok) throw new Error(result.message);
  return { text: result.text, findings: lines(result.findings) };
}

describe('the script of a definition', () => {
  test('keeps the indentation within it', async () => {
    const { text } = await scriptOf('%runscript', '    if ready; then', '', '      serve', '    fi');
    expect(text).toContain('      if ready; then\n\n        serve\n      fi\n');
    const heredoc = await scriptOf('%runscript', '  python3 - <<EOF', 'if True:', '    serve()', 'EOF');
    expect(heredoc.text).toContain('python3 - <<EOF\n      if True:\n          serve()\n      EOF\n');
  });

  test.each([
    ['#!/bin/sh', 'command: serve ${A}'],
    ['#! /usr/bin/env sh', 'command: serve ${A}'],
    ['#!/bin/bash', 'command: [/bin/bash, -c, "serve $${A}"]'],
    ['  #!/bin/sh -e', 'command: [/bin/sh, -e, -c, "serve $${A}"]'],
    ['#!/usr/bin/env -S bash', 'command: [bash, -c, "serve $${A}"]'],
    ['#!/usr/bin/env python3', 'command: [python3, -c, "serve $${A}"]'],
  ])('is for its interpreter: %s', async (first, command) => {
    const { text, findings } = await scriptOf('%runscript', first, '  serve ${A}');
    expect(text).toContain(command);
    expect(findings).toEqual([]);
  });

  test('for another interpreter has to be a file', async () => {
    const { text, findings } = await scriptOf('%runscript', '#!/usr/bin/perl', 'print 1');
    expect(text).toContain('a has no command yet');
    expect(findings).toEqual([expect.stringContaining('it is a script for perl. Put it into a file of the image')]);
  });

  test('that runs its arguments is no command', async () => {
    const { text, findings } = await scriptOf('%runscript', '  . /opt/env', '  exec "$@"');
    expect(text).toContain('a has no command yet');
    expect(findings).toEqual([expect.stringContaining('it runs its arguments, and a service gets none')]);
    for (const line of ['exec $@', '"$@"', '$@']) {
      const { findings: same } = await scriptOf('%runscript', `  ${line}`);
      expect(same).toEqual([expect.stringContaining('it runs its arguments')]);
    }
    const more = await scriptOf('%runscript', '  exec serve "$@"');
    expect(more.text).toContain('command: exec serve\n');
  });

  test('that has only a first line is no command', async () => {
    const { text, findings } = await scriptOf('%runscript', '#!/bin/bash');
    expect(text).toContain('a has no command yet');
    expect(findings).toEqual([expect.stringContaining('it runs nothing')]);
  });

  test('is the %runscript where the %startscript is empty', async () => {
    const { text, findings } = await scriptOf('%startscript', '', '%runscript', '  serve');
    expect(text).toContain('command: serve\n');
    expect(findings).toEqual([]);
    const both = await scriptOf('%runscript', '  serve', '%startscript', '  start');
    expect(both.text).toContain('command: start\n');
    expect(both.findings).toEqual([expect.stringContaining('the definition has a %startscript, which is used')]);
  });
});
