// The text of pre-flight findings: a line each, with a mark, and what to do. Inspects nothing itself.
import { printable } from '../text.ts';

/** The result of one check. */
export interface PreflightFinding {
  /** null: the whole machine. */
  readonly service: string | null;
  readonly check: 'user' | 'limit' | 'command' | 'folder' | 'port' | 'gpu' | 'driver' | 'memory' | 'shared-memory';
  readonly verdict: 'ok' | 'doubtful' | 'wrong';
  readonly text: string;
  /** What to do. */
  readonly help?: string;
}

const MARKS = {
  ok: { sign: '✓', colour: 32 },
  doubtful: { sign: '!', colour: 33 },
  wrong: { sign: '✗', colour: 31 },
} as const;

export function renderPreflight(findings: readonly PreflightFinding[], colour: boolean): string {
  const width = Math.max(0, ...findings.map(({ service }) => service?.length ?? 0));
  return findings
    .map(({ service, verdict, text, help }) => {
      const { sign, colour: code } = MARKS[verdict];
      const mark = colour ? `\x1b[${code}m${sign}\x1b[0m` : sign;
      const advice = help === undefined ? '' : `  ${' '.repeat(width)}  help: ${printable(help)}\n`;
      return `${mark} ${(service ?? '').padEnd(width)}  ${printable(text)}\n${advice}`;
    })
    .join('');
}
