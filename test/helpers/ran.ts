// Runs a program to its end and returns its exit code and its output. Judges neither.

/** The exit of a program, and its output. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds, after which it gets SIGKILL. */
  readonly timeout?: number;
}

/** Its standard input is empty. */
export async function runProgram(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env, ...rest } = options;
  const child = Bun.spawn([...command], {
    ...rest,
    ...(env !== undefined && { env: { ...env } }),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    killSignal: 'SIGKILL',
  });
  const [code, stdout, stderr] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, stdout, stderr };
}
