// The report of a soak: a table for the terminal, RESULTS.md for the repository. Pure except for the machine's name.
import { availableParallelism, release } from 'node:os';
import type { Counts, Figures } from './sample.ts';
import { type Amounts, KINDS } from './scenario.ts';
import type { Judgement, Quiet, Row } from './verdict.ts';

/** One sample during the work. */
export interface Moment extends Figures, Counts {
  readonly seconds: number;
  /** The share of the work that has been done, of the slowest kind. */
  readonly done: number;
  readonly calls: number;
}

export interface Outcome {
  readonly amounts: Amounts;
  /** The counts at the end. */
  readonly done: Amounts;
  readonly seconds: number;
  readonly quiet: { readonly before: Quiet; readonly warm: Quiet; readonly after: Quiet };
  readonly judgement: Judgement;
  readonly moments: readonly Moment[];
}

const count = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

function show(value: number, unit: string): string {
  if (unit === 'MiB') return `${(value / 2 ** 20).toFixed(1)} MiB`;
  return unit === '/s' ? `${value.toFixed(1)}/s` : String(value);
}

const signed = (value: number, unit: string): string => `${value >= 0 ? '+' : ''}${show(value, unit)}`;

const HEAD = ['at rest', 'before', 'after the warm-up', 'after all', 'growth', 'bound', ''];

function cellsOf({ name, unit, before, warm, after, growth, most, ok }: Row): readonly string[] {
  const figures = [before, warm, after].map((value) => show(value, unit));
  return [name, ...figures, signed(growth, unit), signed(most, unit), ok ? 'ok' : 'TOO MUCH'];
}

/** The table and the verdict, for a terminal. */
export function renderOutcome({ done, seconds, judgement }: Outcome): string {
  const rows = [HEAD, ...judgement.rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [
    '',
    `${KINDS.map((kind) => `${count(done[kind])} ${NAMES[kind]}`).join(', ')} in ${(seconds / 60).toFixed(1)} minutes`,
    ...rows.map(line),
    ...judgement.faults.map((fault) => `wrong: ${fault}`),
    judgement.failed === 0 ? 'nothing has grown' : 'it is NOT as it was',
  ].join('\n');
}

const NAMES: Readonly<Record<keyof Amounts, string>> = {
  restarts: 'restarts',
  lines: 'lines',
  probes: 'probes',
  calls: 'API calls',
};

/** The whole of RESULTS.md. */
export function renderResults(outcome: Outcome): string {
  const { done, amounts, seconds, judgement, moments } = outcome;
  const peak = (read: (moment: Moment) => number) => Math.max(...moments.map(read));
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const flags = KINDS.map((kind) => `--${kind} ${amounts[kind]}`).join(' ');
  return [
    '# Soak',
    '',
    'The built svc-super as PID 1 of a PID namespace, and its supervisor: services that exit in every possible way and are',
    'restarted at once, probes of every kind without pauses, three services that print, and clients of the control API,',
    'all at the same time. Figures are sums over both processes; those at rest are the minimum of ten samples when all of that has',
    'been idle for a minute (10 s in a short soak).',
    '',
    '```sh',
    `npm run soak -- ${flags}`,
    '```',
    '',
    `${KINDS.map((kind) => `${count(done[kind])} ${NAMES[kind]}`).join(', ')}, in ${(seconds / 60).toFixed(0)} minutes on ${availableParallelism()} processors, Linux ${release()}.`,
    '',
    row(HEAD.slice(0, 6)),
    row(['---', ...Array.from({ length: 5 }, () => '---:')]),
    ...judgement.rows.map((one) => row(cellsOf(one).slice(0, 6))),
    '',
    `While it worked: own memory at most ${show(
      peak(({ anon }) => anon),
      'MiB',
    )}, resident at most ${show(
      peak(({ resident }) => resident),
      'MiB',
    )}, ` +
      `at most ${peak(({ descriptors }) => descriptors)} descriptors, ${peak(({ threads }) => threads)} threads, ${peak(({ timers }) => timers)} timers armed.`,
    '',
    '![Memory, descriptors, threads and timers while it worked](results.svg)',
    '',
    `Verdict: ${judgement.failed === 0 ? 'nothing has grown beyond its bound, no line is missing, every call had a correct response.' : 'a figure has grown beyond its bound, or a result is wrong.'}`,
    ...judgement.faults.map((fault) => `- ${fault}`),
    '',
    'What may grow, and why:',
    ...judgement.rows.map(({ name, most, unit, why }) => `- ${name}: ${signed(most, unit)}, ${why}`),
    '',
  ].join('\n');
}
