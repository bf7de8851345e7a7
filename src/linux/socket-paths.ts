// Messages about paths of the control socket that could not be used. The paths and the numbers are those of
// native/control.c. Pure.
import { describeErrno } from './errno.ts';

/** Reasons that are not an errno; their numbers are larger than any errno. */
export const WHY = { foreign: 1001, folder: 1002, noSocket: 1003, occupied: 1004 } as const;

const REASONS: Readonly<Record<number, string>> = {
  [WHY.foreign]: 'a process of another user listens there, and is not trusted',
  [WHY.folder]: 'its folder is missing, or other users have access to it',
  [WHY.noSocket]: 'a file that is not a socket has that path',
  [WHY.occupied]: 'another supervisor listens there',
  1: 'permission denied',
  2: 'no such socket',
  11: 'it does not answer',
  13: 'permission denied',
  36: 'the path is too long for a socket (107 bytes)',
  111: 'no process listens there',
};

/** Why no socket could be created at a path. */
export function describeMissingSocket({ path, why }: { readonly path: string; readonly why: number }): string {
  return why === 2 ? `${path}: its folder does not exist` : describeSocketPath({ path, why });
}

/** `/run/svc-super.sock: no process listens there`. */
export function describeSocketPath({ path, why }: { readonly path: string; readonly why: number }): string {
  return `${path}: ${REASONS[why] ?? describeErrno(why)}`;
}
