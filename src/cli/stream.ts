// What the commands that print a stream share: the flags `--follow` and `--lines`, and the exit code at its end.
import type { StreamResult } from '../control/client.ts';
import { type CommandContext, EXIT, type Flag } from './command.ts';
import { reportNoSupervisor, reportRefusal } from './request.ts';

export const FOLLOW_FLAG = { type: 'boolean', short: 'f', summary: 'continue with new output' } as const satisfies Flag;
export const LINES_FLAG = {
  type: 'string',
  short: 'n',
  value: 'N',
  summary: 'only the last N lines',
} as const satisfies Flag;

/** The exit code after a stream. A command that follows ends when the container ends. */
export function finishStream(context: CommandContext, streamed: StreamResult, isFollowing: boolean): number {
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (streamed.whole || isFollowing) return EXIT.ok;
  context.err('svc-super: the supervisor ended, and no other one responds: the output is incomplete\n');
  return EXIT.noSupervisor;
}
