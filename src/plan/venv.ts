// A service's Python virtual environment: whether it is there, and what it makes of the environment of a process. Looks at
// files through its argument alone.
import type { FileReader } from '../config/file.ts';
import { join } from '../paths.ts';

/** Where programs are looked for without a PATH; the same as at the spawn. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why a folder is no virtual environment; null where it is one. */
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
  // A link that leads nowhere is not there: an environment whose Python was left behind in another stage of the build.
  const isThere = ['python', 'python3'].some((name) => find(join(folder, 'bin', name))?.isFile === true);
  return isThere ? null : `there is no Python at ${join(folder, 'bin/python')}`;
}

/** What `activate` sets, before the variables of services.yaml, which win. */
export function activate(env: Map<string, string>, folder: string): void {
  env.set('VIRTUAL_ENV', folder);
  // It would make that Python look for its library elsewhere.
  env.delete('PYTHONHOME');
}

/** Its programs come first, whoever has set PATH: that is what it is there for. */
export function putFirst(env: Map<string, string>, folder: string): void {
  const bin = join(folder, 'bin');
  const rest = (env.get('PATH') ?? DEFAULT_PATH).split(':').filter((one) => one !== bin);
  env.set('PATH', [bin, ...rest].join(':'));
}
