// Tests that cannot run on this machine: reported by one line that scripts/test.ts repeats in its summary. On a CI machine a
// skip is a failure. The caller decides what a test needs.

export const noX64 = process.arch === 'x64' ? null : 'it needs a machine with x64';
export const noRoot = process.getuid?.() === 0 ? null : 'it needs root';

/** A reason for each program that is not installed. */
export function noPrograms(...names: readonly string[]): readonly string[] {
  return names.filter((name) => Bun.which(name) === null).map((name) => `${name} is not installed`);
}

/** For `describe.skipIf`: whether there is a reason why these tests cannot run here. */
export function skipWhen(reasons: readonly (string | null)[], what: string): boolean {
  const why = reasons.filter((reason) => reason !== null).join(', ');
  if (why === '') return false;
  if (process.env.CI === 'true') throw new Error(`${what} cannot run: ${why}`);
  process.stderr.write(`\nSKIPPED ${what}: ${why}\n\n`);
  return true;
}
