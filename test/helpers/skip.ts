// Tests that cannot run on this machine: reported by one line that scripts/test.ts repeats in its summary. On a CI machine a
// skip is a failure. The caller decides what a test needs.

/** For `describe.skipIf`: whether there is a reason why these tests cannot run here. */
export function skipWhen(reasons: readonly (string | null)[], what: string): boolean {
  const why = reasons.filter((reason) => reason !== null).join(', ');
  if (why === '') return false;
  if (process.env.CI === 'true') throw new Error(`${what} cannot run: ${why}`);
  process.stderr.write(`\nSKIPPED ${what}: ${why}\n\n`);
  return true;
}
