// Log lines: filters (also for events and other lists), the detection of errors, and the text of a file. Draws and requests
// nothing. Pure.

/** A line of `/v1/logs`. `time`: ISO 8601. */
export interface PageLine {
  readonly time: string;
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Set if the line stands for lines that are missing: how many, or `true` if that is not known. */
  readonly skipped?: number | true;
}

/** What marks a line as an error. That it is on standard error does not: many programs write their whole log there. */
const ERROR =
  /\b(?:ERROR|FATAL|CRITICAL|PANIC|EMERG)\b|^(?:Traceback \(most recent call last\)|panic:|\w*(?:Error|Exception): )|"level":\s*"(?:error|fatal)"/;

/** Whether a line looks like the report of an error. */
export function isErrorLine({ text }: Pick<PageLine, 'text'>): boolean {
  return ERROR.test(text);
}

/**
 * Returns a function that reports whether a text contains `wanted`, or matches it if it has the form `/pattern/`. Upper and lower
 * case are the same. An invalid pattern, which may be unfinished, matches everything.
 */
export function makeFilter(wanted: string): (text: string) => boolean {
  if (wanted === '') return () => true;
  const pattern = /^\/(.+)\/$/.exec(wanted)?.[1];
  if (pattern === undefined) {
    const lower = wanted.toLowerCase();
    return (text) => text.toLowerCase().includes(lower);
  }
  try {
    const found = new RegExp(pattern, 'i');
    return (text) => found.test(text);
  } catch {
    return () => true;
  }
}

/** The content of a file with these lines. */
export function toFile(lines: readonly PageLine[]): string {
  return lines.map(({ time, service, stream, text }) => `${time} ${service} ${stream} ${text}\n`).join('');
}
