// A command of a start script as a service: words without a shell where all of them are literal, else the text of the
// command, with `exec` where one program remains. Redirections to a file become `log.file`; wrappers become fields.
import type { Assignment, Redirection, Word } from 'unbash';
import type { ServiceDraft } from '../services-yaml.ts';
import { literal } from '../words.ts';
import type { Value } from '../yaml-values.ts';
import { portOf, serviceName } from './shell-names.ts';
import { type CommandNode, type SyntaxNode, statementsOf, wordsOf } from './shell-script.ts';
import type { ShellState, Unit } from './shell-state.ts';
import { literalWord, wordValue } from './shell-words.ts';
import { placeComment } from './source.ts';

/** A command reduced to one program, with what its wrappers say. */
interface Simple {
  readonly node: CommandNode;
  readonly words: readonly Word[];
  readonly cwd: string | null;
  readonly user: string | null;
  readonly log: string | null;
  /** Redirections and wrappers that only the shell can do. */
  readonly needsShell: boolean;
  readonly env: readonly Assignment[];
}

/** Makes a service of a statement's command and adds it. */
export function addCommand(state: ShellState, node: SyntaxNode, kind: Unit['kind'], name: string | null = null): Unit {
  const simple = simplify(state, node);
  const service: ServiceDraft = { name: '', comments: [placeComment(state.script.where(node))], todo: [], fields: {} };
  const words = simple === null ? [] : simple.words.map((word) => literalWord(word, state.known) ?? word.value);
  const guessed = name ?? (words.length > 0 ? serviceName(words, simple?.cwd ?? state.cwd) : nameOf(state, node));
  // `ollama pull` beside `ollama serve`.
  const verb = /^[a-z][a-z-]*$/.exec(words[1] ?? '')?.[0];
  service.name = state.names.take(state.names.has(guessed) && verb !== undefined ? `${guessed}-${verb}` : guessed);
  if (kind === 'task') service.fields.type = 'task';
  if (simple === null) service.fields.command = verbatim(state, node);
  else writeSimple(state, simple, service, words);
  return state.add({ service, kind, words });
}

/** The name of something that is no simple command: its first program that is no word of the shell. */
function nameOf(state: ShellState, node: SyntaxNode): string {
  const text = state.script.text(node);
  const bare = text.replaceAll(
    /^\s*(?:#.*|if\b.*?;\s*then|while\b.*?;\s*do|until\b.*?;\s*do|[({]|cd\s+\S+\s*(?:&&|;|\n)|sleep\s+\S+\s*(?:&&|;|\n))\s*/gm,
    '',
  );
  const words = (/^\s*([\w./-][^\n;&|]*)/m.exec(bare)?.[1] ?? '').trim().split(/\s+/);
  return words[0] === '' || words[0] === undefined ? 'script' : serviceName(words);
}

/** The source as it is, after what it needs. */
export function verbatim(state: ShellState, node: SyntaxNode, more = ''): Value {
  const text = state.script.text(node);
  const before = state.preambleFor(node, text);
  const flags = state.setE && (before.length > 0 || text.includes('\n')) ? ['set -e'] : [];
  return state.command([...flags, ...before, `${text}${more}`].join('\n'));
}

/** A list in a group or subshell, a `cd … &&`, a pipe into `tee`, wrappers: what remains is one program; null: it is more. */
function simplify(state: ShellState, node: SyntaxNode): Simple | null {
  if (node.type === 'Statement') return simplify(state, node.command);
  if (node.type === 'Command') return unwrap(state, node);
  if (node.type === 'Subshell' || node.type === 'BraceGroup')
    return simplifyList(
      state,
      statementsOf(node).map(({ command }) => command),
      statementsOf(node).some(({ background }) => background === true),
    );
  if (node.type === 'AndOr' && node.operators.every((operator) => operator === '&&'))
    return simplifyList(state, node.commands, false);
  if (node.type === 'Pipeline' && node.prefixes.length === 0) return simplifyTee(state, node);
  return null;
}

/** `cd D` and one program. */
function simplifyList(state: ShellState, nodes: readonly SyntaxNode[], isBackground: boolean): Simple | null {
  const [first, second, ...more] = nodes;
  if (isBackground || first === undefined || more.length > 0) return null;
  if (second === undefined) return simplify(state, first);
  const folder =
    first.type === 'Command' && first.name?.value === 'cd' && first.args.length === 1 ? first.args[0] : undefined;
  const value = folder?.type === 'Word' ? wordValue(folder, state.known) : null;
  const rest = value === null ? null : simplify(state, second);
  if (rest === null || value === null || rest.cwd !== null) return null;
  return { ...rest, cwd: joinFolder(state.cwd, value.text) };
}

/** A folder relative to the one that the script is in. */
export function joinFolder(from: string | null, to: string): string {
  if (to.startsWith('/') || to.startsWith('${') || from === null) return to;
  return to === '.' ? from : `${from.replace(/\/$/, '')}/${to.replace(/^\.\//, '')}`;
}

/** `cmd 2>&1 | tee FILE`, and `cmd |& tee FILE`. */
function simplifyTee(
  state: ShellState,
  { commands, operators }: Extract<SyntaxNode, { type: 'Pipeline' }>,
): Simple | null {
  const [first, last, ...more] = commands;
  if (first?.type !== 'Command' || last?.type !== 'Command' || more.length > 0 || last.name?.value !== 'tee')
    return null;
  if (last.redirects.some((one) => one.type !== 'Redirect' || one.target?.value !== '/dev/null')) return null;
  const files = last.args.filter((word): word is Word => word.type === 'Word' && !/^-(?:a|-append)$/.test(word.value));
  const [file] = files;
  const path = file === undefined || files.length > 1 ? null : wordValue(file, state.known);
  const rest = path === null ? null : unwrap(state, first);
  if (rest === null || path === null || rest.log !== null || rest.needsShell) return null;
  const why = 'the exit code is that of the program; without `pipefail` it was that of `tee`';
  state.report.once('tee', state.script.where(last), `tee ${path.text}`, why);
  if (first.redirects.length === 0 && operators[0] === '|') {
    const both = 'the file gets standard error too';
    state.report.changed(
      state.script.where(last),
      `tee ${path.text}`,
      both,
      'write `log: {stderr_file: …}` to separate it',
    );
  }
  return { ...rest, log: path.text };
}

/** Wrappers whose work svc-super does: they are left out, with these options. With any other option the wrapper stays. */
const DROPPED: Readonly<Record<string, RegExp | null>> = {
  nohup: null,
  exec: null,
  command: null,
  setsid: /^(?:-[cfw]+|--ctty|--fork|--wait)$/,
  tini: /^-[gsvw]+$/,
  'dumb-init': /^(?:-[cv]+|--single-child|--verbose)$/,
  catatonit: /^-g$/,
};

/** The words after a wrapper and its options; null: it has an option that svc-super does not stand for. */
function afterWrapper(program: string, words: readonly Word[]): readonly Word[] | null {
  const at = words.findIndex(({ value }) => DROPPED[program]?.test(value) !== true);
  const rest = at < 0 ? [] : words.slice(at);
  if (rest[0]?.value === '--') return rest.slice(1);
  return rest[0]?.value.startsWith('-') === true ? null : rest;
}

function unwrap(state: ShellState, node: CommandNode): Simple | null {
  const { log, needsShell } = readRedirections(state, node.redirects);
  let words = wordsOf(node);
  const assignments = node.args.filter((word): word is Assignment => word.type === 'Assignment');
  let user: string | null = null;
  const env = node.prefix.filter((one): one is Assignment => one.type === 'Assignment');
  for (;;) {
    const program = words[0]?.value.replace(/^.*\//, '') ?? '';
    const next = words.slice(1);
    if (Object.hasOwn(DROPPED, program)) {
      const after = afterWrapper(program, next);
      if (after === null) return null;
      words = after;
    } else if ((program === 'gosu' || program === 'su-exec') && next[0] !== undefined) {
      user = wordValue(next[0], state.known)?.text ?? null;
      if (user === null) break;
      words = next.slice(1);
    } else if ((program === 'sudo' || program === 'runuser') && next[0]?.value === '-u' && next[1] !== undefined) {
      const options = next.slice(2);
      if (/^-(?!-$)/.test(options[0]?.value ?? '')) break;
      user = wordValue(next[1], state.known)?.text ?? null;
      if (user === null) break;
      words = options[0]?.value === '--' ? options.slice(1) : options;
    } else break;
  }
  if (words.length === 0) return null;
  return { node, words, cwd: null, user, log, needsShell: needsShell || assignments.length > 0, env };
}

/** Both streams into one file: `> F 2>&1`, `&> F`, `>> F 2>&1`. Anything else needs the shell, such as `2>&1 > F`. */
function readRedirections(
  state: ShellState,
  redirects: readonly Redirection[],
): { readonly log: string | null; readonly needsShell: boolean } {
  let file: string | null = null;
  let merged = false;
  for (const one of redirects) {
    if (one.type !== 'Redirect' || one.target === undefined) return { log: null, needsShell: true };
    const number =
      one.descriptor?.type === 'FileDescriptor' ? one.descriptor.value : one.descriptor === undefined ? null : -1;
    if (one.operator === '>&' && number === 2 && one.target.value === '1') merged = true;
    else if (one.operator === '<' && one.target.value === '/dev/null') continue;
    else if (/^&>>?$/.test(one.operator) || (/^>>?$/.test(one.operator) && (number === null || number === 1))) {
      const path = wordValue(one.target, state.known);
      if (merged || path === null || /^\/dev\/(?!shm)|^\/proc\//.test(path.text))
        return { log: null, needsShell: true };
      file = path.text;
      merged ||= one.operator.startsWith('&');
    } else return { log: null, needsShell: true };
  }
  return { log: file, needsShell: file !== null && !merged };
}

function writeSimple(state: ShellState, simple: Simple, service: ServiceDraft, words: readonly string[]): void {
  const { fields } = service;
  const { known, report, script } = state;
  const where = script.where(simple.node);
  if (simple.cwd !== null) fields.cwd = simple.cwd;
  if (simple.user !== null) fields.user = simple.user;
  const values = simple.env.map((one) => ('elements' in one.value ? null : wordValue(one.value, known)));
  const isPlainEnv =
    values.every((value) => value !== null) && simple.env.every(({ append, index }) => !append && index === undefined);
  const literals = simple.words.map((word) => literalWord(word, known));
  const canList = !simple.needsShell && isPlainEnv && literals.every((word) => word !== null) && literals[0] !== '';
  const env = Object.fromEntries(simple.env.map(({ name }, index) => [name, values[index]?.text ?? '']));
  const text = programText(state, simple);
  const settings = isPlainEnv ? [] : settingsOf(state, simple.env);
  const before = simple.words.length === 0 ? [] : state.preambleFor(simple.node, text);
  if (isPlainEnv && simple.env.length > 0) fields.env = env;
  const isFunction = state.functions.has(words[0] ?? '');
  if (canList && before.length === 0) fields.command = literals.map((word) => literal(word ?? ''));
  else {
    const lead = isFunction ? '' : 'exec ';
    const flags = state.setE && before.length > 0 ? ['set -e'] : [];
    fields.command = state.command([...flags, ...before, ...settings, `${lead}${text}`].join('\n'));
  }
  if (simple.log !== null && !simple.needsShell) {
    fields.log = { file: { path: simple.log } };
    report.once(
      'log',
      where,
      `output of ${service.name} to ${simple.log}`,
      'svc-super writes the file itself, rotates it by size, and prints the lines too',
    );
  }
  const port = portOf(words, env);
  if (port !== null) fields.port = port;
}

/** Assignments before a program as commands of their own: a word after `exec` would be the program. */
function settingsOf(state: ShellState, env: readonly Assignment[]): readonly string[] {
  const written = env.map(({ pos, end }) => state.script.source.text.slice(pos, end));
  return [...written, `export ${env.map(({ name }) => name).join(' ')}`];
}

/** The source of the program and its arguments on one line where that is possible. */
function programText(state: ShellState, { node, words, needsShell, log }: Simple): string {
  const { source } = state.script;
  const from = words[0]?.pos ?? node.pos;
  const ends = [...words.map(({ end }) => end), ...node.args.map(({ end }) => end)];
  const to = needsShell || log === null ? node.end : Math.max(...ends);
  const redirected = node.redirects.some((one) => one.type === 'HereDoc');
  if (redirected) return state.script.text(node).slice(Math.max(0, from - node.pos));
  const hasRedirects = node.redirects.length > 0;
  const end = hasRedirects && !needsShell ? Math.max(...ends) : to;
  return source.text
    .slice(from, end)
    .replaceAll(/[ \t]*\\\n[ \t]*/g, ' ')
    .trim();
}
