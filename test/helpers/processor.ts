// Processor time, a measure of work that does not depend on the load of the machine.

/** Processor time of this process so far, milliseconds. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
