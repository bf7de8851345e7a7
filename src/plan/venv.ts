// A service's Python virtual environment: whether it exists, and the environment variables that it sets. Reads files only
// through its argument.
import type { FileReader } from '../config/file.ts';
import { join } from '../paths.ts';

/** The PATH for a process without one; the same as at the spawn. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why a folder is not a virtual environment; null if it is one. */
export function whyNoVenv(folder: string, files: FileReader): string | null {
  const find = (path: string) => {
    try {
      return files.stat(path);
    } catch {
      return null;
    }
  };
  const found = find(folder);
  if (found === null) return `there is no folder ${folder}`;
  if (!found.isDirectory) return `${folder} is not a folder`;
  // A dangling link counts as missing: the Python of such an environment was left behind in another stage of the build.
  const isThere = ['python', 'python3'].some((name) => find(join(folder, 'bin', name))?.isFile === true);
  return isThere ? null : `there is no Python at ${join(folder, 'bin/python')}`;
}

/** Sets the variables that `activate` sets. Variables of services.yaml take precedence. */
export function activate(env: Map<string, string>, folder: string): void {
  env.set('VIRTUAL_ENV', folder);
  // With this variable its Python would search its library elsewhere.
  env.delete('PYTHONHOME');
}

/**
 * Puts its programs first in PATH, even if services.yaml sets PATH. An empty PATH means the current folder, and so does the end of
 * `bin:`, which it becomes.
 */
export function putFirst(env: Map<string, string>, folder: string): void {
  const bin = join(folder, 'bin');
  const rest = (env.get('PATH') ?? DEFAULT_PATH).split(':').filter((one) => one !== bin);
  env.set('PATH', [bin, ...rest].join(':'));
}
