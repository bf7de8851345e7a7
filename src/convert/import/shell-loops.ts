// Loops at the end of a start script that keep it running: those that only sleep, and those that check whether the programs still
// run, as in the example of Docker's documentation for several processes.
import type { SyntaxNode } from 'unbash';
import { type ShellScript, statementsOf } from './shell-script.ts';

/** `idle`: it never ends; `poll`: it ends the script when a program has ended. */
export type KeepingLoop = 'idle' | 'poll';

const FOREVER = /^(?:true|:|\[ 1 \]|\(\(1\)\)|sleep\s+\S+)\s*;?$/;

/** The kind of a loop; null: it does other work. */
export function keepingLoopOf(node: SyntaxNode, script: ShellScript): KeepingLoop | null {
  if (node.type !== 'While') return null;
  const clause = script.text(node.clause).trim();
  const body = script.text(node.body);
  const looks = /\bkill\s+-0\b|\bpgrep\b|\bps\b|\bpidof\b|\/proc\/\$/;
  if (node.kind === 'while' && /^kill\s+-0\b/.test(clause) && onlyIdles(node.body)) return 'poll';
  if (node.kind !== 'while' || !FOREVER.test(clause)) return null;
  if (onlyIdles(node.body)) return 'idle';
  return looks.test(body) && /\b(?:exit|break|return)\b/.test(body) && !/&\s*$/m.test(body) ? 'poll' : null;
}

function onlyIdles(body: SyntaxNode): boolean {
  return statementsOf(body).every(
    ({ command, background }) =>
      command.type === 'Command' &&
      /^(?:sleep|echo|:|true|wait)$/.test(command.name?.value ?? '') &&
      (background !== true || command.name?.value === 'sleep'),
  );
}
