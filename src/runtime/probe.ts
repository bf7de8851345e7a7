// Performs one attempt of a probe; the result has a message for users. Keeps no state. Hosts are IP addresses,
// which the configuration ensures: a name lookup needs a thread, and hangs if the process limit is used up.
import type { HttpProbe, Probe, TcpProbe } from '../plan/plan.ts';
import { type AttemptResult, describeConnectError } from './attempt.ts';

export interface ProbeContext {
  readonly cwd: string | null;
  fileExists(path: string): boolean;
  /** Runs the program of an `exec` probe. The caller ends it if it aborts the attempt. */
  runTool(argv: readonly string[]): Promise<{ code: number | null; summary: string; lastLine: string }>;
}

/** Never rejects. After an abort the result has no meaning. `log` and `notify` probes have no attempts. */
export async function attemptProbe(probe: Probe, abort: AbortSignal, context: ProbeContext): Promise<AttemptResult> {
  switch (probe.kind) {
    case 'http': {
      const { attemptHttp } = await import('./probe-http.ts');
      return attemptHttp(probe satisfies HttpProbe, abort);
    }
    case 'tcp':
      return attemptTcp(probe satisfies TcpProbe, abort);
    case 'exec': {
      const { code, summary, lastLine } = await context.runTool(probe.argv);
      return { ok: code === 0, detail: code === 0 || lastLine === '' ? summary : `${summary}: ${lastLine}` };
    }
    case 'file': {
      const path = probe.path.startsWith('/') || context.cwd === null ? probe.path : `${context.cwd}/${probe.path}`;
      const ok = context.fileExists(path);
      return { ok, detail: ok ? `${path} exists` : `${path} does not exist yet` };
    }
    case 'log':
    case 'notify':
      return { ok: false, detail: 'waiting' };
    default:
      return probe satisfies never;
  }
}

async function attemptTcp({ host, port, socket: path }: TcpProbe, abort: AbortSignal): Promise<AttemptResult> {
  // Loaded here, because node:net takes 2 ms to load, which would delay the start.
  const { connect } = await import('node:net');
  if (abort.aborted) return { ok: false, detail: 'abandoned' };
  return new Promise((resolve) => {
    const where = path ?? `${host}:${port}`;
    // If only the file of a unix socket is left, connect(2) fails with ECONNREFUSED.
    const socket = connect(path === null ? { host, port } : { path });
    const finish = (ok: boolean, detail: string) => {
      socket.destroy();
      resolve({ ok, detail });
    };
    socket.once('connect', () => finish(true, `${where} accepts connections`));
    socket.once('error', (error) => finish(false, describeConnectError(error, where)));
    abort.addEventListener('abort', () => finish(false, 'abandoned'), { once: true });
  });
}
