// The result of one attempt of a probe, and the message for a connection that failed. Pure.

export interface AttemptResult {
  readonly ok: boolean;
  readonly detail: string;
}

/** Why a connection failed, for users. `where` is its address or path. */
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
        return `the certificate of ${where} is not trusted: ${message} (\`verify_tls: false\` accepts it)`;
      }
      return `cannot connect to ${where}: ${message}`;
    }
  }
}
