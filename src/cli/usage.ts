// Reports mistakes in a command line. Imports no client: `up` reports such mistakes too, and loads none.
import { printable } from '../text.ts';
import { type CommandContext, EXIT } from './command.ts';

/** Prints the mistake and the usage of the command; returns the exit code. */
export function reportUsage(context: CommandContext, text: string, usage: string): number {
  context.err(`svc-super: ${printable(text)}\nusage: ${usage}\n`);
  return EXIT.usage;
}
