// What the commands that print a stream share: the flags `--follow` and `--lines`, and the exit code at its end. Prints no line of
// the stream.
import type { StreamResult } from '../control/client.ts';
import { type CommandContext, EXIT, type Flag, type GivenFlags } from './command.ts';
import { reportNoSupervisor, reportRefusal } from './request.ts';

export const FOLLOW_FLAG = { type: 'boolean', short: 'f', summary: 'continue with new output' } as const satisfies Flag;
export const LINES_FLAG = {
  type: 'string',
  short: 'n',
  value: 'N',
  summary: 'only the last N lines',
} as const satisfies Flag;

/** The value of `--lines`; undefined: no value; null: it is not a whole number. */
export function readLines({ lines }: GivenFlags['values']): string | undefined | null {
  if (typeof lines !== 'string') return undefined;
  return /^\d+$/.test(lines) ? lines : null;
}

/** The message for a value of `--lines` that is not a whole number. */
export const LINES_MISTAKE = '-n takes a whole number';

/** The exit code after a stream. A command that follows ends when the container ends. */
export function finishStream(context: CommandContext, streamed: StreamResult, isFollowing: boolean): number {
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (streamed.whole || isFollowing) return EXIT.ok;
  context.err('svc-super: the supervisor ended, and no other one responds: the output is incomplete\n');
  return EXIT.noSupervisor;
}
