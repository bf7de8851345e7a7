// Commands of a start script that set something up for those after them: variables, folder, `source`, `umask`, `ulimit`, `set`.
// They become fields of the services that follow, or shell text that is repeated in the commands of these services.
import type { Assignment, Word } from 'unbash';
import type { Value } from '../yaml-values.ts';
import { joinFolder } from './shell-command.ts';
import type { CommandNode } from './shell-script.ts';
import type { ShellState } from './shell-state.ts';
import { wordValue } from './shell-words.ts';

/** Applies a setting. Returns false if the command is no setting. */
export function applySetting(state: ShellState, node: CommandNode): boolean {
  const { report, script } = state;
  const name = node.name?.value ?? '';
  const where = script.where(node);
  const text = script.text(node);
  const words = node.args.filter((word): word is Word => word.type === 'Word');
  if (name === '') {
    if (
      !assign(
        state,
        node.prefix.filter((one): one is Assignment => one.type === 'Assignment'),
        false,
      )
    )
      state.remember(node);
    return true;
  }
  if (name === 'export' || (name === 'declare' && words[0]?.value === '-x')) {
    exportNames(state, node, words);
    return true;
  }
  if (name === 'readonly' || name === 'declare' || name === 'typeset' || name === 'unset' || name === 'read') {
    state.remember(node);
    report.changed(where, text, 'it is repeated before each command that needs it');
    return true;
  }
  if (name === ':' || name === 'true') {
    if (/\$\{\w+:?=/.test(text)) state.remember(node);
    else report.lost(where, text, 'it does nothing');
    return true;
  }
  if (name === 'source' || name === '.') {
    sourceFile(state, node, words);
    return true;
  }
  if (name === 'cd' || name === 'pushd') {
    changeFolder(state, node, words);
    return true;
  }
  if (name === 'umask' && /^[0-7]{3,4}$/.test(words[0]?.value ?? '')) {
    state.umask = words[0]?.value ?? null;
    return true;
  }
  return applyShellOption(state, node, name, words);
}

const PRINTS = /^(?:echo|printf|date|whoami|hostname|clear|printenv|id|pwd)$/;

/** An option without a value, or an assignment. */
const isEnvSetting = (word: string): boolean => /^(?:-|-0|--null|-i|--ignore-environment|[A-Za-z_]\w*=.*)$/s.test(word);

/** Applies `set`, `shopt` and `ulimit`, and reports commands that only print. Returns false for any other command. */
function applyShellOption(state: ShellState, node: CommandNode, name: string, words: readonly Word[]): boolean {
  const { report, script } = state;
  const where = script.where(node);
  const text = script.text(node);
  if (name === 'set' || name === 'shopt') {
    applySet(state, node, words);
    return true;
  }
  if (name === 'ulimit') {
    const [flag = '', value = ''] = words.map((word) => word.value);
    const limit = ({ '-n': 'nofile', '-u': 'nproc', '-c': 'core', '-l': 'memlock', '-s': 'stack' } as const)[flag];
    if (limit === undefined || !/^(?:\d+|unlimited)$/.test(value)) return false;
    const isSize = limit !== 'nofile' && limit !== 'nproc' && value !== 'unlimited' && value !== '0';
    state.limits = { ...state.limits, [limit]: isSize ? `${value}KiB` : numeric(value) };
    return true;
  }
  // `env A=b PROGRAM` starts a program.
  const prints =
    name === 'env' ? node.args.every((word) => word.type !== 'Word' || isEnvSetting(word.value)) : PRINTS.test(name);
  if (prints && node.redirects.every((one) => one.type === 'Redirect' && one.operator === '>&')) {
    report.lost(where, text, 'left out: svc-super itself prints what it starts');
    return true;
  }
  return false;
}

/** Options of the shell, in order: the last of `-e` and `+e` applies. What follows them are arguments for the script. */
function applySet(state: ShellState, node: CommandNode, words: readonly Word[]): void {
  const { report, script } = state;
  const [where, text] = [script.where(node), script.text(node)];
  const values = words.map(({ value }) => value);
  let at = 0;
  let exits: boolean | null = null;
  for (; /^[-+]\w/.test(values[at] ?? ''); at += 1) {
    const flag = values[at] ?? '';
    const isOn = flag.startsWith('-');
    const named = /o$/.test(flag) ? values[at + 1] : undefined;
    if (/^.\w*e/.test(flag) || named === 'errexit') exits = isOn;
    if (named !== undefined) at += 1;
  }
  if (exits !== null) state.setE = exits;
  if (node.name?.value === 'set' && at < values.length) {
    const why = 'it sets the arguments of the script (`$1`, `$@`), and a service has none';
    report.look(where, text, why, 'write them into the commands that use them');
  } else if (exits === null) report.lost(where, text, 'it is about the shell');
  else {
    const then = exits ? 'do not start' : 'start nevertheless';
    report.lost(where, text, `it is about the shell; if a task fails, the services that depend on it ${then}`);
  }
}

const numeric = (text: string): Value => (/^\d{1,9}$/.test(text) ? Number(text) : text);

/**
 * Applies assignments. Returns false, and applies none, if a shell has to compute one of the values, or if shell text that was
 * kept for one of the variables is still needed.
 */
function assign(state: ShellState, assignments: readonly Assignment[], exported: boolean): boolean {
  const values = assignments.map((one) => {
    if ('elements' in one.value || one.append === true || one.index !== undefined) return null;
    return wordValue(one.value, state.known);
  });
  if (values.some((value) => value === null)) return false;
  if (!assignments.every(({ name }) => state.supersede(name))) return false;
  assignments.forEach(({ name }, index) => {
    const value = values[index];
    if (value === null || value === undefined) return;
    // `X=${X:-default}` becomes the same reference in `env`: the value of the container still wins.
    if (exported || state.env.has(name)) state.env.set(name, value.text);
    state.known.set(name, value.text);
  });
  // A variable that is not exported is read by shell text only, which needs the assignment before it.
  return exported || assignments.every(({ name }) => state.env.has(name)) ? true : rememberQuietly(state, assignments);
}

function rememberQuietly(state: ShellState, assignments: readonly Assignment[]): true {
  const before = new Map(assignments.map(({ name }) => [name, state.known.get(name) ?? null]));
  for (const one of assignments) state.remember(one);
  for (const [name, value] of before) state.known.set(name, value);
  return true;
}

function exportNames(state: ShellState, node: CommandNode, words: readonly Word[]): void {
  const assignments = node.args.filter((one): one is Assignment => one.type === 'Assignment');
  if (!assign(state, assignments, true)) {
    state.remember(node);
    state.report.changed(
      state.script.where(node),
      state.script.text(node),
      'the shell computes it, so it is repeated before each command',
    );
    return;
  }
  for (const word of words) {
    const value = state.known.get(word.value);
    if (value === null) state.remember(node);
    else if (value !== undefined) state.env.set(word.value, value);
    else if (/^\w+$/.test(word.value))
      state.report.lost(
        state.script.where(node),
        `export ${word.value}`,
        'services have all variables of the container',
      );
  }
}

function sourceFile(state: ShellState, node: CommandNode, words: readonly Word[]): void {
  const [file] = words;
  const value = file === undefined ? null : wordValue(file, state.known);
  const venv = /^(.+)\/bin\/activate$/.exec(value?.text ?? '')?.[1];
  const where = state.script.where(node);
  if (venv !== undefined) {
    state.venv = joinFolder(state.cwd, venv);
    if (!state.venv.startsWith('/') && !state.venv.startsWith('${')) {
      state.report.look(
        where,
        `venv ${state.venv}`,
        'it is relative to the folder of services.yaml here',
        'write the whole path',
      );
    }
    return;
  }
  state.remember(node);
  state.report.look(
    where,
    state.script.text(node),
    'the variables that this file sets are not known: the file is read again before each command',
    'use `env_file` if it is a list of KEY=VALUE',
  );
}

function changeFolder(state: ShellState, node: CommandNode, words: readonly Word[]): void {
  const [folder] = words;
  const value = folder === undefined ? null : wordValue(folder, state.known);
  if (value !== null && words.length === 1 && value.text !== '-') {
    state.cwd = joinFolder(state.cwd, value.text);
    return;
  }
  state.remember(node);
  state.report.look(
    state.script.where(node),
    state.script.text(node),
    'the folder is not known: the command is repeated where it is needed',
    'write `cwd`',
  );
}
