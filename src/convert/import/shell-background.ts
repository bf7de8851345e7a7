// Programs that a start script runs in the background: commands with `&`, and loops that start a program again; and the advice
// for programs that daemonize themselves.
import { forEachChild } from 'unbash';
import type { Where } from '../findings.ts';
import { readSleep, writeDuration } from '../quantities.ts';
import { addCommand } from './shell-command.ts';
import { foregroundAdvice } from './shell-daemons.ts';
import { type CommandNode, type Statement, type SyntaxNode, scan, statementsOf, wordsOf } from './shell-script.ts';
import type { ShellState, Unit } from './shell-state.ts';
import { watchdogOf } from './shell-watchdog.ts';
import { literalWord } from './shell-words.ts';

const BLOCKS: ReadonlySet<string> = new Set(['If', 'While', 'Subshell', 'BraceGroup', 'For']);

/** Makes a service of a statement with `&`. */
export function addBackground(state: ShellState, statement: Statement): void {
  const { command } = statement;
  if (addRestartLoop(state, command)) return;
  const watchdog = watchdogOf(command, state.script);
  if (watchdog !== null) {
    state.watchdogs.push({ node: command, watchdog });
    return;
  }
  const name = command.type === 'Command' ? (command.name?.value ?? '') : '';
  const isFunction = state.functions.has(name);
  const unit = addCommand(state, command, 'background', isFunction ? name : null);
  const text = state.script.text(command);
  const look = (why: string, instead: string): void =>
    state.report.look(state.script.where(command), unit.service.name, why, instead);
  if (isFunction || BLOCKS.has(command.type)) {
    const written = unit.service.fields.command;
    if (/\bkill\b/.test(text) && /\b(?:curl|wget|nc)\b/.test(text))
      look('it looks like a watchdog', 'a `live` probe of the service does the same');
    else if (typeof written === 'string' && written.includes('\n'))
      look(
        'the shell text is kept as it is, preceded by the settings that it needs',
        'write the program as the command',
      );
  }
  if (/sleep infinity/.test(text) && scan(command, text).called.has('sleep')) look('it only idles', 'remove it');
  adviseForeground(state, statement, unit);
}

/** Adds a service for `while true; do CMD; sleep N; done &`, which restarts a program. Returns false for any other node. */
function addRestartLoop(state: ShellState, node: SyntaxNode): boolean {
  if (node.type !== 'While' || node.kind !== 'while') return false;
  if (!/^(?:true|:|\[ 1 \]|\(\(1\)\));?$/.test(state.script.text(node.clause).trim())) return false;
  const [first, pause, ...more] = statementsOf(node.body);
  if (first?.command.type !== 'Command' || first.background === true || more.length > 0) return false;
  if (/^(?:sleep|echo|if)$/.test(first.command.name?.value ?? '')) return false;
  const isSleep = pause?.command.type === 'Command' && pause.command.name?.value === 'sleep';
  if (pause !== undefined && !isSleep) return false;
  const word = isSleep && pause.command.type === 'Command' ? pause.command.args[0] : undefined;
  const seconds = word?.type === 'Word' ? readSleep(word.value) : 0;
  const pauseText = writeDuration(Math.max(1, Math.round(seconds ?? 1)) * 1_000);
  const unit = addCommand(state, first.command, 'background');
  unit.service.fields.restart = { policy: 'always', backoff: { initial: pauseText, max: pauseText } };
  if (seconds === null) {
    const why = `the pause cannot be read: ${pauseText} is used`;
    state.report.look(state.script.where(node), state.script.text(pause ?? node), why, 'write `restart.backoff`');
  }
  state.report.changed(state.script.where(node), `the loop around ${unit.service.name}`, 'it is `restart: always`');
  return true;
}

/** The words of a command; those that a shell expands as they are written. */
export function literalsOf(state: ShellState, node: CommandNode): readonly string[] {
  return wordsOf(node).map((word) => literalWord(word, state.known) ?? word.value);
}

/** Reports a program that would leave the foreground, where it is supervised. */
export function adviseForeground(state: ShellState, { command }: Statement, unit: Unit): void {
  if (command.type !== 'Command') {
    forEachChild(command, (child) => {
      if (child.type === 'Statement') adviseForeground(state, child, unit);
      else if (child.type !== 'Function') adviseForeground(state, { command: child } as Statement, unit);
    });
    return;
  }
  const advice = foregroundAdvice(literalsOf(state, command));
  if (advice === null) return;
  const todo = 'it goes into the background by itself and cannot be supervised: see the report';
  if (!unit.service.todo.includes(todo)) unit.service.todo.push(todo);
  state.report.look(
    state.script.where(command),
    state.script.text(command),
    unit.kind === 'task'
      ? 'it goes into the background by itself, and svc-super ends it with the task'
      : 'it goes into the background by itself, where svc-super does not supervise it',
    advice,
  );
}

/** A trap is svc-super's work, unless it does more than stop services. */
export function reportTrap(state: ShellState, statement: Statement): void {
  const text = state.script.text(statement);
  const words = text.split(/[\s;&|(){}'"]+/);
  const functions = [...state.functions].filter(([name]) => words.includes(name));
  const all = [text, ...functions.map(([, body]) => state.script.text(body))].join('\n');
  const isPlain =
    /kill|exit|SIG_IGN|''|""|-\s/.test(all) && !/podman|docker|save|backup|sync|rm\s|curl|mv\s|cp\s/.test(all);
  const where = state.script.where(statement);
  if (isPlain || functions.length === 0)
    state.report.lost(
      where,
      text,
      'svc-super stops every service in order',
      isPlain ? null : 'use `hooks: {before_stop: …}` if it does more',
    );
  else
    state.report.look(
      where,
      text,
      'svc-super stops every service in order; what the trap does besides is not carried over',
      'use `hooks: {before_stop: …}` if it does more',
    );
}

/** A job that the script has waited for, and where. */
export interface AwaitedJob {
  readonly unit: Unit;
  readonly where: Where;
}

/** Makes a task of a job, because the script waits for it and then starts `next`. */
export function makeTask(state: ShellState, { unit, where }: AwaitedJob, next: Unit): void {
  const [job, other] = [unit.service.name, next.service.name];
  unit.kind = 'task';
  unit.service.fields.type = 'task';
  if (!state.setE) unit.service.fields.essential = false;
  const why = `the script waits for ${job} and then starts ${other}, so ${job} is a task and ${other} a service`;
  const advice = `if ${other} only tidies up, write it as \`hooks: {after_exit: …}\` of ${job}, without the \`type\` of that`;
  state.report.look(where, 'wait', why, next.kind === 'main' ? advice : null);
}
