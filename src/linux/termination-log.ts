// Writes /dev/termination-log, which Kubernetes shows as the reason of a container's end. Writes it only if it is a regular
// file. Never creates it, and never fails.
import { closeSync, constants, fstatSync, ftruncateSync, writeFileSync } from 'node:fs';
import { openGuarded } from './guarded-path.ts';

const PATH = '/dev/termination-log';

export function writeTerminationLog(text: string): void {
  let file: number;
  try {
    file = openGuarded(PATH, constants.O_WRONLY, 'write');
  } catch {
    // The file exists only in Kubernetes.
    return;
  }
  try {
    // A FIFO or a terminal there may be meant for other output. openGuarded() does not wait for a reader of a FIFO.
    if (!fstatSync(file).isFile()) return;
    ftruncateSync(file, 0);
    writeFileSync(file, text);
  } catch {
    // A full disk: standard error has the same text.
  } finally {
    closeSync(file);
  }
}
