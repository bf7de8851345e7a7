// The pre-flight as people and programs read it: a line for each finding, a tick or what to do. Looks at nothing itself.
import { printable } from '../text.ts';

/** One thing that was looked at. */
export interface Finding {
  /** null: of the whole machine. */
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

export function renderFindings(findings: readonly Finding[], colour: boolean): string {
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
