// A folder with a configuration for tests that end before any spawn. Every service in it would leave a file there; `isUntouched`
// checks that none did. Starts the binary outside any namespace: it never becomes a supervisor.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from './rig.ts';

/** The name of the file that a service leaves; `touch ran` is the command that leaves it. */
const TRACE = 'ran';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class ConfigFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'svc-config-'));

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    for (const [name, content] of Object.entries(files)) writeFileSync(this.in(name), content);
    // Other users read it too.
    Bun.spawnSync(['chmod', '755', this.path]);
  }

  in(name: string): string {
    return join(this.path, name);
  }

  /** Runs the binary to its end. `through` is put before it on the command line: `setpriv --reuid=1`. */
  async run(args: readonly string[], more: RunMore = {}): Promise<Outcome> {
    const { through = [], env = {}, cwd = this.path } = more;
    const child = Bun.spawn([...through, binary, ...args], {
      cwd,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SVC_SUPER_SOCKET: this.in('control.sock'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { code, stdout, stderr };
  }

  /** Whether no service has run. */
  get isUntouched(): boolean {
    return !readdirSync(this.path).includes(TRACE);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

interface RunMore {
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}
