// Makes a tar archive of a folder that depends on its files only.

/** The folder's content as a tar archive, below the folder `name`. `seconds`: time of every file. */
export function tar(folder: string, name: string, seconds: number): Buffer {
  const order = ['--sort=name', '--format=ustar', `--mtime=@${seconds}`];
  const rights = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  const command = ['tar', '--create', ...order, ...rights, `--transform=s,^\\.,${name},`, `--directory=${folder}`, '.'];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`tar failed: ${stderr}`);
  return Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
}
