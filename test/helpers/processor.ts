// The measure of work that a busy machine does not stretch.

/** Processor time of this process so far, milliseconds. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
