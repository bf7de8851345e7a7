// Converts the pipes and the input of a request to the streams of the protocol, which describe the descriptors of a program.
// Pure.
import type { Stream } from './protocol.ts';

/** A pipe that PID 1 creates with the run. `open` is called with its path when the program is executing. */
export interface PipeEnd {
  open(path: string): void;
  close(): Promise<void>;
}

/** The standard input of a command: a file, or a terminal that receives its output too. */
export interface Input {
  readonly kind: 'file' | 'terminal';
  readonly path: string;
}

/**
 * The streams of a program, and its pipes in the order in which PID 1 creates them. `output` are the descriptors from 1 on; for a
 * terminal it is empty, otherwise it has at least two entries.
 */
export function arrangeStreams(
  input: Input | null,
  output: readonly (PipeEnd | null)[],
): {
  readonly streams: ReadonlyMap<number, Stream>;
  readonly pipes: readonly PipeEnd[];
} {
  const pipes: PipeEnd[] = [];
  const streams = new Map<number, Stream>();
  if (input === null) streams.set(0, { kind: 'null' });
  else if (input.kind === 'file') streams.set(0, { kind: 'path', path: input.path, access: 'read' });
  else for (const fd of [0, 1, 2]) streams.set(fd, { kind: 'path', path: input.path, access: 'readWrite' });
  output.forEach((pipe, index) => {
    const target = index + 1;
    // Standard streams are always open. Other descriptors are opened only for a pipe.
    if (pipe === null) {
      if (target <= 2) streams.set(target, { kind: 'null' });
      return;
    }
    const known = pipes.indexOf(pipe);
    streams.set(target, known < 0 ? { kind: 'pipe' } : { kind: 'same', pipe: known });
    if (known < 0) pipes.push(pipe);
  });
  return { streams, pipes };
}
