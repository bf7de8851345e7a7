// Reads the memory limit of a Compose service: `mem_limit`, or else `deploy.resources.limits.memory`. Reports what it cannot
// read.
import type { ComposeReader } from './compose-reader.ts';

/** Docker's sizes are powers of 1024, whatever their unit (https://pkg.go.dev/github.com/docker/go-units#RAMInBytes). */
const SIZE = /^(\d+(?:\.\d+)?)\s*([bkmgtp]?)(?:i?b)?$/i;
const POWERS = 'bkmgtp';

/** The limit in bytes; null: there is none, or it is not a size. */
export function readMemoryLimit(reader: ComposeReader): number | null {
  const { section, report } = reader;
  const limits = section.section('deploy').section('resources').section('limits');
  const [own, deployed] = [section.take('mem_limit'), limits.take('memory')];
  const isOwn = own !== undefined;
  const text = reader.textAt(isOwn ? own : deployed, 'variables-unset');
  if (text === null) return null;
  const where = isOwn ? section.where('mem_limit') : limits.where('memory');
  const what = `${isOwn ? 'mem_limit' : 'deploy.resources.limits.memory'} of ${reader.key}: ${text}`;
  const [, number, unit = ''] = SIZE.exec(text.trim()) ?? [];
  const power = Math.max(0, POWERS.indexOf(unit.toLowerCase() || 'b'));
  const bytes = Math.round(Number(number) * 1024 ** power);
  if (number === undefined || bytes === 0) {
    if (number === undefined) report.lost(where, what, 'it is not a size', 'write `memory_limit`');
    return null;
  }
  const why = 'the kernel enforces it where the container may write its cgroup; elsewhere svc-super watches it';
  report.changed(where, what, why);
  return bytes;
}
