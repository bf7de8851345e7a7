// Nothing is silent: each key, line, command and file of the corpus is removed in turn, and the output or the report must
// differ. A key that says what its system does anyway may be removed without a difference: these are listed here.
import { describe, expect, test } from 'bun:test';
import { parse, type Statement } from 'unbash';
import { isCollection, isMap, isPair, isSeq, parseDocument, visit } from 'yaml';
import { importSource } from '../../../src/convert/import/import.ts';
import { bare, type Changes, filesBelow, inputOf, SOURCES } from './rig.ts';

/** Keys with a value that is the default of their own system. */
const DEFAULTS = [
  /^autostart=true$/i,
  /^Autostart: TRUE$/,
  /^autorestart=unexpected$/,
  /^ *startretries = 1$/,
  /^stderr_logfile=AUTO$/,
  // Docker takes the driver of the machine.
  /\.devices\.0\.driver$/,
  /\.health_checks\.\d\.(?:type|method)$/,
  // svc-worker depends on it.
  /\/user\/contents\.d\/svc-web$/,
];

/** Texts of the corpus with one thing removed, and what that is. */
type Variants = readonly (readonly [what: string, changes: Changes])[];

/** Keys with their continuation lines, and sections' headings with all below them. */
function iniVariants(path: string): Variants {
  const input = inputOf(path);
  const lines = input.text.split('\n');
  return lines.flatMap((line, at): Variants => {
    if (!/^[^\s#;[][^=:]*[=:]/.test(line)) return [];
    let end = at + 1;
    while (/^\s+\S/.test(lines[end] ?? '')) end += 1;
    const rest = [...lines.slice(0, at), ...lines.slice(end)];
    return [[line, { [path]: rest.join('\n') }]];
  });
}

/** Each entry of a map and each item of a list. */
function yamlVariants(path: string): Variants {
  const { text } = inputOf(path);
  const paths: (readonly unknown[])[] = [];
  const document = parseDocument(text, { merge: false });
  visit(document, {
    Node(_, node, ancestors) {
      const own = ancestors.findLast(isPair);
      const list = ancestors.at(-1);
      const steps = ancestors.flatMap((one, index): unknown[] => {
        const child = ancestors[index + 1] ?? node;
        if (isPair(one)) return [String(one.key)];
        return isSeq(one) ? [one.items.indexOf(child as never)] : [];
      });
      const isKey = own !== undefined && own.key === node;
      if (steps.length > 0 && !isKey && (isSeq(list) || isPair(list))) paths.push(steps);
    },
  });
  return paths.flatMap((steps): Variants => {
    const copy = parseDocument(text, { merge: false });
    const parent = copy.getIn(steps.slice(0, -1), true);
    if (!isCollection(parent)) return [];
    if (isMap(parent)) parent.items = parent.items.filter(({ key }) => String(key) !== steps.at(-1));
    else parent.delete(steps.at(-1));
    const print = (): string | null => {
      try {
        return copy.toString({ lineWidth: 0 });
      } catch {
        // Without an anchor its aliases mean nothing, and no file has that.
        return null;
      }
    };
    const changed = print();
    return changed === null ? [] : [[steps.join('.'), { [path]: changed }]];
  });
}

function lineVariants(path: string): Variants {
  const lines = inputOf(path).text.split('\n');
  return lines.flatMap(
    (line, at): Variants =>
      /^\s*(?:#|$)/.test(line) && !/^# \w+:/.test(line) ? [] : [[line, { [path]: lines.toSpliced(at, 1).join('\n') }]],
  );
}

/** Statements of the script and of its functions. */
function shellVariants(path: string): Variants {
  const { text } = inputOf(path);
  const found: Statement[] = [];
  const collect = (statements: readonly Statement[]): void => {
    for (const one of statements) {
      found.push(one);
      if (one.command.type === 'Function' && one.command.body.type === 'BraceGroup')
        collect(one.command.body.body.commands);
    }
  };
  collect(parse(text).commands);
  return found.map(({ pos, end }) => [text.slice(pos, end), { [path]: text.slice(0, pos) + text.slice(end) }] as const);
}

const fileVariants = (path: string): Variants => filesBelow(path).map((name) => [name, { [name]: null }] as const);

function variantsOf({ format, path }: (typeof SOURCES)[number]): Variants {
  if (format === 'supervisord') return iniVariants(path);
  if (format === 'procfile') return lineVariants(path);
  if (format === 'start.sh') return shellVariants(path);
  if (format === 's6') return fileVariants(path);
  return yamlVariants(path);
}

describe('each construct that is removed changes the output or the report', () => {
  test.each(SOURCES.map((source) => [source.path, source] as const))('%s', async (_, source) => {
    const { format, path, images = [] } = source;
    const whole = bare(await importSource(format, inputOf(path, {}, images)));
    const silent: string[] = [];
    const variants = variantsOf(source);
    for (const [what, changes] of variants) {
      const changed = bare(await importSource(format, inputOf(path, changes, images)));
      if (changed === whole && !DEFAULTS.some((pattern) => pattern.test(what))) silent.push(what);
    }
    expect(variants.length).toBeGreaterThan(0);
    expect(silent).toEqual([]);
  });
});
