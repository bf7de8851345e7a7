// One attempt of one probe: holds, or why not, in words for people. Abortable; counts nothing and remembers nothing.
// Addresses are literal (the configuration sees to that): a name look-up needs a thread and hangs where the process
// limit is used up.
import type { HttpProbe, Probe, TcpProbe } from '../plan/plan.ts';

export interface AttemptResult {
  readonly ok: boolean;
  readonly detail: string;
}

export interface ProbeHelp {
  readonly cwd: string | null;
  fileExists(path: string): boolean;
  runTool(argv: readonly string[]): Promise<{ code: number | null; words: string; lastLine: string }>;
}

/** Never rejects; after an abort its answer is not looked at. `log` and `notify` are told by others. */
export async function attemptProbe(probe: Probe, abort: AbortSignal, help: ProbeHelp): Promise<AttemptResult> {
  switch (probe.kind) {
    case 'http': {
      const { attemptHttp } = await import('./probe-http.ts');
      return attemptHttp(probe satisfies HttpProbe, abort);
    }
    case 'tcp':
      return attemptTcp(probe satisfies TcpProbe, abort);
    case 'exec': {
      const { code, words, lastLine } = await help.runTool(probe.argv);
      return { ok: code === 0, detail: code === 0 || lastLine === '' ? words : `${words}: ${lastLine}` };
    }
    case 'file': {
      const path = probe.path.startsWith('/') || help.cwd === null ? probe.path : `${help.cwd}/${probe.path}`;
      const ok = help.fileExists(path);
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
  // With its first use come the streams: a start would pay 2 ms for them.
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

/** A connection's failure in words. */
export function describeConnectError(error: unknown, where: string): string {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ECONNREFUSED':
      return `nothing listens on ${where}`;
    case 'ENOENT':
      return `there is no socket at ${where}`;
    case 'ECONNRESET':
      return `${where} closed the connection`;
    case 'EACCES':
      return `no permission to connect to ${where}`;
    default: {
      const message = error instanceof Error ? error.message : String(error);
      if (/CERT|^UNABLE_TO_/.test(code)) {
        return `the certificate of ${where} is not trusted: ${message} (\`verify_tls: false\` takes it)`;
      }
      return `cannot connect to ${where}: ${message}`;
    }
  }
}
