// Finds and examines device files of GPUs, and reads the files of the kernel about them. Opens no device.
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import type { FoundGpu } from '../plan/gpu-inventory.ts';

/** A device and the file through which programs reach it. */
export interface DeviceFile extends FoundGpu {
  readonly path: string;
}

/**
 * Whether a program could open a device. access(2) also checks the device cgroup, which denies devices even to root
 * (devcgroup_inode_permission in the kernel). Unlike open(2), it does not initialize the driver.
 */
export function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The names in a folder; none if it cannot be read. */
export function listNames(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The text of a file; null if it cannot be read. */
export function readFile(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
