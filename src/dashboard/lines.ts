// Filters of log lines and events, and whether a line reports an error. Pure.

export interface PageLine {
  readonly time: string;
  readonly service: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** In place of lines that were skipped. */
  readonly skipped?: number | true;
}

/** Words at which a line is marked. Standard error alone is no sign: many programs write all of their log there. */
const ERROR =
  /\b(?:ERROR|FATAL|CRITICAL|PANIC|EMERG)\b|^(?:Traceback \(most recent call last\)|panic:|\w*(?:Error|Exception): )|"level":\s*"(?:error|fatal)"/;

export function isErrorLine({ text }: Pick<PageLine, 'text'>): boolean {
  return ERROR.test(text);
}

/** Whether a text contains `wanted`, or matches it if it is `/a pattern/`. An unfinished pattern matches everything. */
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

/** The lines as a file. */
export function toFile(lines: readonly PageLine[]): string {
  return lines.map(({ time, service, stream, text }) => `${time} ${service} ${stream} ${text}\n`).join('');
}
