// Makes the context of a command: the real clock, files, terminal and connection. What few commands need is loaded at its first use.
// Decides nothing.
import type { CommandContext } from './cli/command.ts';
import type { Dial, SupervisorListener } from './control/client.ts';
import { currentFolder, hasInput, listFolderMarked, realFiles, writeNamedFile } from './linux/files.ts';
import { pidNamespace } from './linux/processes.ts';
import { FD, type Handover } from './platform/handover.ts';
import { describeRuntime } from './platform/runtime.ts';
import { type RealClock, realRandom } from './ports.ts';

/** The width of a terminal if it is not known. */
const DEFAULT_COLUMNS = 80;

/** What the context needs of the entry point. */
export interface ContextParts {
  readonly handover: Handover;
  readonly clock: RealClock;
  readonly version: string;
  readonly commit: string | null;
  readonly gpus: CommandContext['gpus'];
  readonly up: CommandContext['up'];
  /** Writes to standard output and standard error, synchronously. */
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
}

/** Makes the context of a command. */
export function makeContext({ handover, clock, version, commit, gpus, up, out, err }: ContextParts): CommandContext {
  const { environment, terminals, terminal } = handover;
  const columns = Number(environment.COLUMNS) || DEFAULT_COLUMNS;
  return {
    environment,
    files: realFiles,
    dial: makeDial(handover),
    execTerminal: terminal,
    get execStdin() {
      return hasInput() ? `/proc/${process.pid}/fd/0` : null;
    },
    get pidNamespace() {
      return pidNamespace();
    },
    cwd: currentFolder(),
    list: listFolderMarked,
    version,
    describeBuild: () => {
      const { readLibc } = require('./linux/libc.ts') as typeof import('./linux/libc.ts');
      return { version, commit, runtime: describeRuntime(), libc: readLibc(), architecture: process.arch };
    },
    colour: terminals[1] && (environment.NO_COLOR ?? '') === '',
    terminal: { out: terminals[1] ? columns : null, err: terminals[2] ? columns : null },
    hasInputTerminal: terminals[0],
    openScreen: async () => (await import('./platform/screen.ts')).openScreen(clock),
    out,
    // The terminal of `exec` is in raw mode: it adds no carriage return to a line end.
    err: terminal === null ? err : (text) => err(withReturns(text)),
    save: writeNamedFile,
    wall: () => clock.wall(),
    after: (ms, fn) => clock.after(ms, fn),
    randomName: () => realRandom.name(),
    up,
    gpus,
    inspect: makeInspector(environment, clock),
    inspectBuild: async (plan) => (await import('./check/build.ts')).inspectBuild(plan),
  };
}

/** Works on bytes, because a piece of output may be binary, or end within a character. */
function withReturns(text: string | Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(text).toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

/** The first request uses the connection of the native program; later requests connect to the same path. */
function makeDial({ isConnected, socket, looked, found }: Handover): () => Dial {
  let isUsed = false;
  return () => {
    const { describeSocketPath } = require('./linux/socket-paths.ts') as typeof import('./linux/socket-paths.ts');
    if (!isConnected || socket === null) return { ok: false, looked: looked.map(describeSocketPath), found };
    const open = async (listener: SupervisorListener) => {
      const { connectTo } = await import('./control/client.ts');
      if (isUsed) return connectTo(socket, listener);
      isUsed = true;
      const { openConnection } = await import('./platform/socket.ts');
      return openConnection(FD.control, listener);
    };
    return { ok: true, path: socket, open, remote: null };
  };
}

/** Returns the function that checks the machine for `check --runtime`. */
function makeInspector(environment: Handover['environment'], clock: RealClock): CommandContext['inspect'] {
  return async (plan, running) => {
    const [{ inspect, ownerOf }, { makeGpuReader }, { findHolder }] = await Promise.all([
      import('./check/runtime.ts'),
      import('./up/gpus.ts'),
      import('./linux/listeners.ts'),
    ]);
    const portOwner = (port: number) => {
      const holder = findHolder(port);
      if (holder === null) return null;
      return { text: holder.text, service: holder.pid === null ? null : ownerOf(holder.pid, running) };
    };
    return inspect(plan, () => makeGpuReader({ clock, environment }), portOwner);
  };
}
