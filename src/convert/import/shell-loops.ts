// Loops at the end of a start script that keep it running: those that only sleep, and those that check whether the programs still
// run, as in the example of Docker's documentation for several processes.
import type { SyntaxNode } from 'unbash';
import { joinNames } from '../../text.ts';
import { type ShellScript, scan, statementsOf } from './shell-script.ts';
import type { ShellState } from './shell-state.ts';

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

/** Commands that look at programs, or pass the time, or end the script. */
const LOOKS =
  /^(?:sleep|echo|printf|:|true|false|wait|jobs|kill|pkill|pgrep|ps|pidof|e?grep|awk|sed|head|tail|tr|cut|wc|cat|test|\[\[?|exit|break|return|continue|date|log|let|expr|read)$/;

/** Reports that a loop that checks programs is left out, and what else it ran. */
export function reportPoll(node: SyntaxNode, { script, report }: Pick<ShellState, 'script' | 'report'>): void {
  const where = script.where(node);
  const why =
    'when the first service ends, svc-super notices it without a loop, stops the others and ends the container with its code';
  report.changed(where, 'the loop that checks the programs', why);
  const others = [...scan(node, script.text(node)).called].filter((name) => !LOOKS.test(name));
  if (others.length === 0) return;
  const lost = 'the loop that checks the programs also ran this, and is left out';
  report.look(where, joinNames(others), lost, 'if the container needs it, write a service or a scheduled task for it');
}

function onlyIdles(body: SyntaxNode): boolean {
  return statementsOf(body).every(
    ({ command, background }) =>
      command.type === 'Command' &&
      /^(?:sleep|echo|:|true|wait)$/.test(command.name?.value ?? '') &&
      (background !== true || command.name?.value === 'sleep'),
  );
}
