// The sources of the corpus with one construct removed: a key, a line, a command, a file. For the test that nothing is silent, and
// for the figures of bench/import.ts.
import { parse, type Statement } from 'unbash';
import { isCollection, isMap, isPair, isSeq, parseDocument, visit } from 'yaml';
import { type Changes, filesBelow, inputOf, type SOURCES } from './rig.ts';

/** Texts of the corpus with one thing removed, and what that is. */
export type Variants = readonly (readonly [what: string, changes: Changes])[];

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

/** All variants of a source. */
export function variantsOf({ format, path }: (typeof SOURCES)[number]): Variants {
  if (format === 'supervisord') return iniVariants(path);
  if (format === 'procfile') return lineVariants(path);
  if (format === 'start.sh') return shellVariants(path);
  if (format === 's6') return fileVariants(path);
  return yamlVariants(path);
}
