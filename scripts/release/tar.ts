// What tar archives of a release have in common, and the archive of a folder. They depend on their files only.
import type { Level } from './zip.ts';

/** Options of tar(1): a format without extensions, and root as the owner of every file. */
export const REPRODUCIBLE = ['--format=ustar', '--owner=0', '--group=0', '--numeric-owner'] as const;

/** Compresses with libdeflate, which writes no time and no name into the header. */
export const gzip = (bytes: Uint8Array<ArrayBuffer>, level: Level): Uint8Array<ArrayBuffer> =>
  Bun.gzipSync(bytes, { level, library: 'libdeflate' });

/** The folder's content as a tar archive, below the folder `name`. `seconds`: time of every file. */
export function tar(folder: string, name: string, seconds: number): Uint8Array<ArrayBuffer> {
  const options = [...REPRODUCIBLE, '--sort=name', `--mtime=@${seconds}`, '--mode=u=rwX,go=rX'];
  const command = ['tar', '--create', ...options, `--transform=s,^\\.,${name},`, `--directory=${folder}`, '.'];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`tar failed: ${stderr}`);
  return new Uint8Array(stdout);
}
