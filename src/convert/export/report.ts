// The report of an export: a finding for every field of services.yaml that the target has no counterpart for. A format states
// its rules as a table; a field without a rule counts as not carried over, so that a new field is never dropped silently.
import { GPUS } from '../../config/gpu-values.ts';
import { HOOKS } from '../../config/hook-values.ts';
import { RESTART } from '../../config/restart-values.ts';
import { LOG, SERVICE, STOP, TOP } from '../../config/schema.ts';
import type { PathStep } from '../../config/tree.ts';
import { type Finding, type FindingKind, sortFindings, type Where } from '../findings.ts';
import { type ExportService, type ExportSource, withoutCopies } from './source.ts';
import { placeholder, replaceMarks } from './variables.ts';

/** What a finding says besides where it is. */
export interface Remark {
  readonly kind: FindingKind;
  readonly why: string;
  readonly instead: string | null;
}

/** `kept`: the output has it with the same meaning, or the format reports it itself. */
export type Rule = 'kept' | Remark | ((service: ExportService) => Remark | null);
/** By field, or by field and subfield with a dot: `stop.signal`. */
export type Rules = Readonly<Record<string, Rule>>;

export interface Reporter {
  /** Adds a finding about the value at `path`. */
  add(path: readonly PathStep[], what: string, remark: Remark): void;
  /** Adds a finding about a place in another file. */
  addAt(where: Where, what: string, remark: Remark): void;
  /** Adds a finding about the source as a whole. */
  addGeneral(what: string, remark: Remark): void;
  /** In the order of the file, without repetitions. */
  findings(): readonly Finding[];
}

export const lost = (why: string, instead: string | null = null): Remark => ({ kind: 'lost', why, instead });
export const changed = (why: string, instead: string | null = null): Remark => ({ kind: 'changed', why, instead });
export const look = (why: string, instead: string | null = null): Remark => ({ kind: 'look', why, instead });

/** An empty report about one file. */
export function makeReporter({ config, kept }: ExportSource): Reporter {
  const all: Finding[] = [];
  // A value that a variable of the source gives is a mark while it is converted: the report shows the variable, as it is written.
  const readable = (text: string): string => replaceMarks(text, (name) => kept.get(name) ?? placeholder(name));
  const add = (where: Where | null, what: string, { kind, why, instead }: Remark): void => {
    all.push({
      kind,
      where,
      what: readable(what),
      why: readable(why),
      instead: instead === null ? null : readable(instead),
    });
  };
  return {
    add(path, what, remark) {
      const { file, range } = config.locateKey(path);
      add({ file, line: range.line, column: range.column }, what, remark);
    },
    addAt: add,
    addGeneral: (what, remark) => add(null, what, remark),
    findings: () => sortFindings(all),
  };
}

/** Adds a finding about `exit`, or about its default where the file has no `exit`. */
export function reportExit(source: ExportSource, remark: Remark, reporter: Reporter): void {
  if (source.has(['exit'])) reporter.add(['exit'], '`exit`', remark);
  else reporter.addGeneral('`exit: first`, the default', remark);
}

/** Subfields that have rules of their own, and the one that a value without a map stands for. */
const PARTS: Readonly<Record<string, { readonly fields: readonly string[]; readonly short: string }>> = {
  restart: { fields: Object.keys(RESTART), short: 'policy' },
  stop: { fields: Object.keys(STOP), short: 'signal' },
  log: { fields: Object.keys(LOG), short: 'format' },
  hooks: { fields: Object.keys(HOOKS), short: 'before_start' },
  gpus: { fields: Object.keys(GPUS), short: 'count' },
};

/** The dotted names of the fields that the file gives a service, `defaults` included. */
function writtenFields(source: ExportSource, key: string): readonly string[] {
  return Object.keys(SERVICE).flatMap((field) => {
    const path = ['services', key, field];
    if (!source.has(path)) return [];
    const parts = PARTS[field];
    if (parts === undefined) return [field];
    const found = parts.fields.filter((part) => source.has([...path, part]));
    return (found.length === 0 ? [parts.short] : found).map((part) => `${field}.${part}`);
  });
}

const UNKNOWN = lost('this export has no counterpart for it');

/**
 * Adds what the rules say about every field of the given services. Copies of a service are reported once. `otherwise` is the rule
 * of fields that have none.
 */
export function reportServices(
  source: ExportSource,
  services: readonly ExportService[],
  rules: Rules,
  reporter: Reporter,
  otherwise: Rule = UNKNOWN,
): void {
  for (const service of withoutCopies(services)) {
    for (const field of writtenFields(source, service.key)) {
      const [first = ''] = field.split('.');
      const rule = rules[field] ?? rules[first] ?? otherwise;
      const remark = typeof rule === 'function' ? rule(service) : rule;
      if (remark === 'kept' || remark === null) continue;
      const path = ['services', service.key, ...field.split('.')];
      reporter.add(path, `\`${field}\` of ${service.key}`, remark);
    }
  }
}

/** Adds what the rules say about every field at the top of the file. */
export function reportTop(source: ExportSource, rules: Rules, reporter: Reporter): void {
  for (const field of Object.keys(TOP)) {
    const rule = rules[field] ?? UNKNOWN;
    if (rule === 'kept' || typeof rule === 'function' || !source.has([field])) continue;
    reporter.add([field], `\`${field}\``, rule);
  }
}
