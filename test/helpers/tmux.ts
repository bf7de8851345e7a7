// A terminal that understands what is drawn: tmux, with a shell in it, for commands that use the whole screen. Every wait is for a
// condition of the screen, and fails with the screen. Each one has its own server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './rig.ts';

export interface TmuxOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class Tmux implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'svc-super-tmux-'));

  constructor({ columns = 80, rows = 24, env = {} }: TmuxOptions = {}) {
    const variables = Object.entries({ PS1: '$ ', ...env }).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const shell = ['bash', '--norc', '--noprofile', '-i'];
    this.#run('new-session', '-d', '-x', String(columns), '-y', String(rows), ...variables, ...shell);
    this.#run('set-option', '-g', 'status', 'off');
  }

  #run(...args: readonly string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      ['tmux', '-u', '-S', join(this.#folder, 'socket'), '-f', '/dev/null', ...args],
      { env: { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' } },
    );
    if (exitCode !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`);
    return stdout.toString();
  }

  /** Names of keys as in tmux(1): `Enter`, `C-c`, `Down`, `x`. */
  keys(...keys: readonly string[]): void {
    this.#run('send-keys', ...keys);
  }

  /** Text, and Enter. */
  type(text: string): void {
    this.#run('send-keys', '-l', text);
    this.#run('send-keys', 'Enter');
  }

  /** A click as a terminal reports it. Column and row count from 0. */
  click(column: number, row: number): void {
    this.#run('send-keys', '-l', `\x1b[<0;${column + 1};${row + 1}M\x1b[<0;${column + 1};${row + 1}m`);
  }

  resize(columns: number, rows: number): void {
    this.#run('resize-window', '-x', String(columns), '-y', String(rows));
  }

  screen(): string {
    return this.#run('capture-pane', '-p');
  }

  /** A setting of the pane, as in FORMATS of tmux(1). */
  format(text: string): string {
    return this.#run('display-message', '-p', text).trim();
  }

  async shows(pattern: RegExp): Promise<string> {
    let screen = '';
    const look = () => {
      screen = this.screen();
      return pattern.test(screen);
    };
    await until(`${pattern} on the screen`, look, () => screen);
    return screen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#run('kill-server');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
