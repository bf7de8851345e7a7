// Runs the programs that a release needs (tar, buildah, nfpm, git), and reports which one is missing. Reads no release data.

/** Runs a program to its end; returns its standard output. Throws with its messages if it fails. */
export async function runTool(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const [program = ''] = command;
  if (Bun.which(program) === null) throw new Error(`${program} is not installed: a release needs it`);
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, stdout, stderr] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  if (code === 0) return stdout.trimEnd();
  throw new Error(
    `${command.slice(0, 3).join(' ')} ... failed with exit code ${code}:\n${`${stdout}${stderr}`.trim()}`,
  );
}

/** Writes one line of progress. */
export const report = (line: string): void => void process.stdout.write(`${line}\n`);
