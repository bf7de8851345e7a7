// Runs `gzip` and `tar`. The output of this gzip is the same on every processor; that of zlib's variants is not.

function run(command: readonly string[], stdin: Uint8Array | 'ignore'): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin });
  if (exitCode !== 0) throw new Error(`${command[0]} failed: ${stderr}`);
  return Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
}

/** `level`: 1 to 9. */
export const gzip = (data: Uint8Array, level: number): Buffer => run(['gzip', '--no-name', `-${level}`], data);

/** The folder's content as a tar archive, below the folder `name`, that depends on nothing else. `seconds`: time of every file. */
export function tar(folder: string, name: string, seconds: number): Buffer {
  const order = ['--sort=name', '--format=ustar', `--mtime=@${seconds}`];
  const rights = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  return run(
    ['tar', '--create', ...order, ...rights, `--transform=s,^\\.,${name},`, `--directory=${folder}`, '.'],
    'ignore',
  );
}
