// The completion scripts: every command and flag is in each, and bash completes with its script.
import { expect, test } from 'bun:test';
import { renderCompletion, SHELLS } from '../../../src/cli/commands/completion.ts';
import { flagsOf } from '../../../src/cli/flags.ts';
import { loadCommands } from '../../../src/cli/help.ts';
import { COMMANDS } from '../../../src/cli/table.ts';

const commands = await loadCommands(COMMANDS);

test.each(SHELLS)('%s: every command and flag is in the script', (shell) => {
  const script = renderCompletion(shell, commands);
  for (const [name, command] of Object.entries(commands)) {
    expect(script).toContain(name);
    for (const flag of Object.keys(flagsOf(command)))
      expect(script).toContain(shell === 'fish' ? `-l ${flag}` : `--${flag}`);
  }
});

const complete = (...words: readonly string[]) => {
  const given = words.map((word) => `'${word}'`).join(' ');
  const script = `svc-super() { printf 'vllm\\nweb\\n'; }
${renderCompletion('bash', commands)}
COMP_WORDS=(svc-super ${given}); COMP_CWORD=${words.length}; _svc_super; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return Bun.spawnSync(['bash', '-c', script]).stdout.toString().trim().split('\n');
};

test('bash completes commands, flags and the names of services', () => {
  expect(complete('sta')).toEqual(['status', 'start']);
  expect(complete('wait', '--t')).toEqual(['--timeout']);
  expect(complete('restart', 'vl')).toEqual(['vllm']);
  expect(complete('completion', 'z')).toEqual(['zsh']);
  expect(complete('nonsense', 'x')).toEqual(['']);
});

test('each script is valid for its shell', () => {
  for (const shell of SHELLS) {
    if (Bun.which(shell) === null) continue;
    const { exitCode, stderr } = Bun.spawnSync([shell, '-n'], {
      stdin: Buffer.from(renderCompletion(shell, commands)),
    });
    expect([shell, exitCode, stderr.toString()]).toEqual([shell, 0, '']);
  }
});
