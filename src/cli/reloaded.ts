// The difference that a reload or `scale` applies, as text. Pure.
import type { Change, ScaleOutcome } from '../control/source.ts';

export interface ReloadBody {
  readonly applied: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
  readonly unchanged: readonly string[];
  readonly scale: readonly ScaleOutcome[];
}

export function renderReload({ applied, added, removed, changed, unchanged, scale }: ReloadBody): string {
  const lines = [
    ...added.map((name) => `+ ${name}: starts`),
    ...changed.map(({ name, fields, restarts }) => `~ ${name}: ${fields.join(', ')}${restarts ? ': restarts' : ''}`),
    ...removed.map((name) => `- ${name}: stops`),
  ];
  const numbers = scale.map(renderOutcome).join('');
  if (lines.length === 0) return `${numbers}nothing has changed\n`;
  const rest = unchanged.length === 0 ? '' : `; ${unchanged.length} unchanged`;
  return `${numbers}${lines.join('\n')}\n${applied ? 'applied' : 'not applied: this was a dry run'}${rest}\n`;
}

/** What becomes of a number of replicas that was set by `scale`. */
function renderOutcome({ name, replicas, file, kept }: ScaleOutcome): string {
  if (kept) return `= ${name}: ${replicas} replicas by \`scale\`; the file has ${file}\n`;
  return file === null
    ? `= ${name}: no longer in the file; its ${replicas} replicas by \`scale\` no longer apply\n`
    : `= ${name}: ${file} replicas, as the file has changed; its ${replicas} by \`scale\` no longer apply\n`;
}
