// One line on standard error: how the stand-ins tell what they do.

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
