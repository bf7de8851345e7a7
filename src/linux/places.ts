// Why a place of the control socket was passed over, in words. Places and numbers are those of native/control.c. Pure.
import { describeErrno } from './errno.ts';

/** Numbers above all errnos. */
export const WHY = { foreign: 1001, folder: 1002, noSocket: 1003, occupied: 1004 } as const;

const WORDS: Readonly<Record<number, string>> = {
  [WHY.foreign]: 'another user answers there: not asked',
  [WHY.folder]: 'its folder is not one that only this user may enter',
  [WHY.noSocket]: 'something that is not a socket stands there',
  [WHY.occupied]: 'another supervisor answers there',
  1: 'permission denied',
  2: 'no such socket',
  11: 'it does not answer',
  13: 'permission denied',
  36: 'the path is too long for a socket (107 bytes)',
  111: 'nobody answers',
};

/** `/run/svc-super.sock: nobody answers`. */
export function describePlace({ path, why }: { readonly path: string; readonly why: number }): string {
  return `${path}: ${WORDS[why] ?? describeErrno(why)}`;
}
