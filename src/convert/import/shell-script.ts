// A shell script as a tree with its text: slices of the script, what a part of it assigns, reads, calls and starts. Executes
// nothing. The parser is unbash, which reads Bash and POSIX shell.
import { forEachChild, type ParsedScript, parse, type Statement, type SyntaxNode, type Word } from 'unbash';
import type { Source } from '../../config/tree.ts';
import type { Where } from '../findings.ts';
import { whereIn } from '../source-text.ts';

export type { Statement, SyntaxNode } from 'unbash';

export type CommandNode = Extract<SyntaxNode, { type: 'Command' }>;

/** What a part of a script does to the shell that runs it. */
export interface Scan {
  /** Variables that it assigns. */
  readonly assigned: ReadonlySet<string>;
  /** It exports variables, or reads a file that may. */
  readonly exports: boolean;
  /** Names after a `$`. */
  readonly referenced: ReadonlySet<string>;
  /** First words of its commands. */
  readonly called: ReadonlySet<string>;
  /** It starts something with `&`. */
  readonly background: boolean;
  /** It replaces the shell with a program. */
  readonly replaces: boolean;
  readonly heredoc: boolean;
}

/** A script, or a text within one. */
export class ShellScript {
  readonly source: Source;
  readonly tree: ParsedScript;
  /**
   * The shell of its first line, if that has more features than `/bin/sh`: `bash`, `zsh` or `ksh`, which runs the texts that use them.
   * All are parsed as Bash. null: any other program, or none.
   */
  readonly ownShell: string | null;

  constructor(source: Source) {
    this.source = source;
    this.tree = parse(source.text);
    const shebang = /^#!\s*(\S+)(?:[ \t]+(?:-S[ \t]*)?(\S+))?/.exec(source.text);
    const program = /(?:^|\/)env$/.test(shebang?.[1] ?? '') ? (shebang?.[2] ?? '') : (shebang?.[1] ?? '');
    this.ownShell = /(?:^|\/)(bash|zsh|ksh)$/.exec(program)?.[1] ?? null;
  }

  where(node: { readonly pos: number }): Where {
    return whereIn(this.source, { start: node.pos });
  }

  /** The source of a node with the bodies of its heredocs, without the `&` of a background statement. */
  text(node: SyntaxNode): string {
    const { text } = this.source;
    const written = text.slice(node.pos, node.end);
    const own = node.type === 'Statement' && node.background === true ? written.replace(/\s*&\s*$/, '') : written;
    const end = heredocEnd(node);
    // The bodies begin below the line, whose rest is another node or the `&`.
    return end > node.end ? own + text.slice(text.indexOf('\n', node.end), end) : own;
  }
}

/** Where the last heredoc of a node ends. */
function heredocEnd(node: SyntaxNode): number {
  if (node.type === 'HereDoc') return Math.max(node.body.end, node.closing?.end ?? 0);
  let end = 0;
  forEachChild(node, (child) => {
    end = Math.max(end, heredocEnd(child));
  });
  return end;
}

/** Commands that take names of variables to assign. */
const ASSIGNS = /^(?:export|declare|typeset|readonly|local|read|mapfile|readarray|getopts|let|unset)$/;

/** Looks at a node with all that is in it. Subshells and commands in `$(…)` change nothing outside. */
export function scan(node: SyntaxNode, text: string): Scan {
  const assigned = new Set<string>();
  const called = new Set<string>();
  const found = { exports: false, background: false, replaces: false, heredoc: false };
  const visit = (one: SyntaxNode, inside: boolean): void => {
    if (one.type === 'Statement' && one.background === true) found.background = true;
    if (one.type === 'HereDoc') found.heredoc = true;
    if (one.type === 'Assignment' && one === node) assigned.add(one.name);
    if (one.type === 'For' && !inside) assigned.add(one.name.value);
    if (one.type === 'ParameterExpansion' && !inside && /=$/.test(operatorOf(one.operation)))
      assigned.add(one.parameter);
    if (one.type === 'Command') {
      const name = one.name?.value ?? '';
      if (name !== '') called.add(name);
      if (!inside && name === 'exec' && one.args.length > 0) found.replaces = true;
      if (!inside && (name === 'export' || name === 'source' || name === '.')) found.exports = true;
      if (!inside && name === '')
        for (const part of one.prefix) if (part.type === 'Assignment') assigned.add(part.name);
      if (!inside && ASSIGNS.test(name)) {
        for (const part of one.args) {
          const target = part.type === 'Assignment' ? part.name : /^[A-Za-z_]\w*/.exec(part.value)?.[0];
          if (target !== undefined) assigned.add(target);
        }
      }
    }
    const opens = one.type === 'Subshell' || one.type === 'CommandExpansion' || one.type === 'ProcessSubstitution';
    // What a function does happens where it is called.
    if (one.type === 'Function' && one !== node) return;
    forEachChild(one, (child) => visit(child, inside || opens));
  };
  visit(node, false);
  const referenced = new Set([...text.matchAll(/\$\{?[#!]?([A-Za-z_]\w*)/g)].map(([, name = '']) => name));
  for (const [, inner = ''] of text.matchAll(/\(\(([^)]*)\)\)/g)) {
    for (const [name] of inner.matchAll(/[A-Za-z_]\w*/g)) referenced.add(name);
  }
  return { assigned, called, referenced, ...found };
}

function operatorOf(operation: { readonly type: string } | undefined): string {
  return operation !== undefined && 'operator' in operation ? String(operation.operator) : '';
}

/** Constructs that `/bin/sh` of Debian and Alpine lacks. */
const BASHISMS =
  /\[\[|(?<!\$)\(\(|<\(|>\(|<<<|&>|\bsource\s|\bfunction\s|\bdeclare\b|\btypeset\b|\bmapfile\b|\breadarray\b|\bpipefail\b|\bshopt\b|\$'|\$\{\w+(?:\/|:\d|:\s|\^|,|\[|@)|\$\{!|=\(|\+=|\{\w+\.\.\w+\}|\bBASH|wait -n/;

/** Whether a text may need Bash. What only looks like it, such as `[[:space:]]`, runs in the shell of its script as well. */
export const needsBash = (text: string): boolean => BASHISMS.test(text);

/** The program of a command and its arguments, without assignments among them (`export A=b`). */
export const wordsOf = ({ name, args }: CommandNode): readonly Word[] =>
  [name, ...args].filter((word): word is Word => word?.type === 'Word');

/** Statements of a list, a group or a script. */
export function statementsOf(node: SyntaxNode): readonly Statement[] {
  if (node.type === 'CompoundList' || node.type === 'Script') return node.commands;
  if (node.type === 'Subshell' || node.type === 'BraceGroup') return node.body.commands;
  return [];
}
