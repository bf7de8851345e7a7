// Reads the statements of a start script from top to bottom and makes services and tasks of them, in the order and with the
// dependencies that the script has. What it does not understand is kept verbatim and reported; nothing is reordered.
import type { Word } from 'unbash';
import type { Value } from '../yaml-values.ts';
import {
  type AwaitedJob,
  addBackground,
  adviseForeground,
  literalsOf,
  makeTask,
  reportTrap,
} from './shell-background.ts';
import { addCommand, verbatim } from './shell-command.ts';
import { conditionOf } from './shell-conditions.ts';
import { foregroundAdvice } from './shell-daemons.ts';
import { keepingLoopOf, reportPoll } from './shell-loops.ts';
import { isPreparation } from './shell-names.ts';
import { type CommandNode, type Statement, type SyntaxNode, scan, statementsOf, wordsOf } from './shell-script.ts';
import { applySetting } from './shell-settings.ts';
import { addProbe, type ScriptEnd, type ShellState, type Unit } from './shell-state.ts';
import { waitLoopOf } from './shell-waits.ts';
import { missingCommand, placeComment } from './source.ts';

/** Commands that change what all later programs get. */
const SETS = /^(?:export|declare|cd|pushd|umask|ulimit|source|\.)$/;

/** Deeper than real scripts nest calls of functions. */
const MAX_DEPTH = 8;

export class ShellWalk {
  readonly state: ShellState;
  ending: ScriptEnd = { kind: 'none' };
  /** Foreground statements that become one task. */
  #pending: Statement[] = [];
  #done = false;
  /** A job that the script waits for (`job & wait $!`), where the script would end if nothing followed; null: there is none. */
  #awaited: AwaitedJob | null = null;
  /** The programs that it has waited for, one `wait` after the other. */
  #waited: readonly Unit[] = [];

  constructor(state: ShellState) {
    this.state = state;
  }

  /** Reads a list of statements; `isLast`: nothing comes after it. */
  run(statements: readonly Statement[], isLast: boolean, depth = 0): void {
    const last = statements.findLastIndex((one) => !this.#isTrailer(one));
    statements.forEach((statement, index) => {
      if (this.#done) {
        this.#lost(statement, 'the script has ended before');
        return;
      }
      this.#statement(statement, isLast && index >= last, depth);
    });
    this.flush();
  }

  /** `exit`, `echo` and the like after the last program. */
  #isTrailer({ command, background }: Statement): boolean {
    return (
      background !== true && command.type === 'Command' && /^(?:exit|echo|printf)$/.test(command.name?.value ?? '')
    );
  }

  #statement(statement: Statement, isLast: boolean, depth: number): void {
    const { command } = statement;
    const { state } = this;
    if (statement.background === true) {
      this.flush();
      addBackground(state, statement);
      this.#passAwaited();
    } else if (command.type === 'Function') {
      state.functions.set(command.name.value, command.body);
      state.remember(command, command.name.value);
    } else if (command.type === 'Command') this.#command(statement, command, isLast, depth);
    else if (this.#takeWaitLoop(command) || this.#takeSettingsInList(command) || this.#takeKeepingLoop(statement))
      return;
    else if (command.type === 'If' || command.type === 'Case') this.#branch(statement, isLast, depth);
    else if (command.type === 'BraceGroup' && scan(command, '').background)
      this.run(statementsOf(command), isLast, depth);
    else this.#foreground(statement, isLast);
  }

  /** Handles a loop that keeps the script running while its programs run. Returns whether the statement is one. */
  #takeKeepingLoop(statement: Statement): boolean {
    const kind = keepingLoopOf(statement.command, this.state.script);
    if (kind === null || this.state.lastBackground === undefined) return false;
    if (kind === 'idle') {
      this.#idle(statement);
      return true;
    }
    this.flush();
    this.ending = { kind: 'first', only: null };
    reportPoll(statement, this.state);
    return true;
  }

  /** Makes a loop that waits for a service its `ready` probe. Returns whether the node is one. */
  #takeWaitLoop(node: SyntaxNode): boolean {
    const { state } = this;
    const loop = waitLoopOf(node, state.script);
    if (loop === null || loop.isElsewhere) return false;
    const named = loop.port === null ? null : state.findByPort(loop.port);
    const unit = named ?? state.lastBackground;
    if (unit === undefined) return false;
    this.flush();
    const { fields, name } = unit.service;
    const isGuess = state.units.filter(({ kind }) => kind === 'background').length > 1;
    if (named === null && loop.port !== null && isGuess) {
      const why = `no command names port ${loop.port}, so it is taken for that of ${name}`;
      state.report.look(
        state.script.where(node),
        state.script.text(node),
        why,
        'move the probe to the service that it asks',
      );
    }
    if (fields.port === undefined && loop.port !== null) fields.port = loop.port;
    addProbe(fields, 'ready', loop.value(typeof fields.port === 'number' ? fields.port : null));
    if (loop.seconds !== null) {
      fields.start_timeout = `${Math.min(loop.seconds, 86_400)}s`;
      state.report.changed(
        state.script.where(node),
        `the loop that waits for ${name}`,
        `when the wait gives up, ${name} has failed to start; the script started the next program anyway`,
      );
    }
    // What the service itself waited for need not be waited for again.
    const implied = new Set([name, ...Object.keys((fields.depends_on ?? {}) as object)]);
    state.barrier = new Map([...state.barrier].filter(([one]) => !implied.has(one))).set(name, 'ready');
    return true;
  }

  #command(statement: Statement, node: CommandNode, isLast: boolean, depth: number): void {
    const { state } = this;
    const name = node.name?.value ?? '';
    const words = wordsOf(node);
    const isPid =
      name === '' &&
      node.prefix.some(
        (one) => one.type === 'Assignment' && !('elements' in one.value) && one.value.text.includes('$!'),
      );
    if (isPid) this.#savePid(node);
    else if (name === 'exec') this.#exec(statement, node, words);
    else if (name === 'wait') this.#wait(statement, words);
    else if (name === 'exit' || name === 'return') this.#exit(statement);
    else if (name === 'trap') reportTrap(state, statement);
    else if (name === 'sleep') this.#sleep(statement, words);
    else if (
      name === 'tail' &&
      words.some(({ value }) => value === '/dev/null') &&
      words.some(({ value }) => /^-[fF]$/.test(value))
    )
      this.#idle(statement);
    else if (name === 'kill' || name === 'pkill' || name === 'killall') this.#kill(statement);
    else if (this.#takeSetting(statement, node)) return;
    else if (this.#takeWaitLoop(node)) return;
    else if (state.functions.has(name) && depth < MAX_DEPTH && this.#takeCall(node, name, isLast, depth)) return;
    else this.#foreground(statement, isLast);
  }

  /**
   * Applies a setting for the following commands. Commands before it that it would change become a task before it. Returns whether
   * the statement is a setting.
   */
  #takeSetting({ command }: Statement, node: CommandNode): boolean {
    const name = node.name?.value ?? '';
    if (name === '' && !node.prefix.some((one) => one.type === 'Assignment')) return false;
    const changed = scan(command, '').assigned;
    const isUsed = this.#pending.some((one) =>
      [...scan(one, this.state.script.text(one)).referenced].some((used) => changed.has(used)),
    );
    if (isUsed || [...changed].some((one) => this.state.env.has(one)) || SETS.test(name)) this.flush();
    return applySetting(this.state, node);
  }

  /** Applies settings in a list: `cd D || exit`, `[ -f F ] && . F`. Returns whether the node is one. */
  #takeSettingsInList(node: SyntaxNode): boolean {
    const { state } = this;
    if (node.type !== 'AndOr') return false;
    const [first, second, ...more] = node.commands;
    const isGuard = second?.type === 'Command' && /^(?:exit|return|true|:)$/.test(second.name?.value ?? '');
    if (
      node.operators[0] === '||' &&
      more.length === 0 &&
      isGuard &&
      first?.type === 'Command' &&
      first.name?.value === 'cd'
    ) {
      this.flush();
      return applySetting(state, first);
    }
    const found = scan(node, state.script.text(node));
    if (found.background || (found.assigned.size === 0 && !found.exports && !found.called.has('cd'))) return false;
    this.flush();
    this.#repeat(node);
    return true;
  }

  /** Keeps source whose result only the shell can compute, for the commands that need it. */
  #repeat(node: SyntaxNode): void {
    const { state } = this;
    state.remember(node);
    const why = 'the shell decides what it sets, so it is repeated before each command that needs it';
    state.report.look(state.script.where(node), state.script.text(node), why, 'set the variables in `env`');
  }

  /**
   * Reads the body of a function that starts something in place of its call. Returns false, and reads nothing, if the function
   * starts nothing or uses arguments.
   */
  #takeCall(node: CommandNode, name: string, isLast: boolean, depth: number): boolean {
    const body = this.state.functions.get(name);
    // In `main "$@"` the function may pass its arguments on, and use none of them.
    const passesAll = node.args.every((one) => one.type === 'Word' && /^"?\$[@*]"?$/.test(one.text));
    if (body === undefined || !passesAll) return false;
    if (/\$\{?[1-9#]|\bshift\b/.test(this.state.script.text(body))) return false;
    const found = scan(body, '');
    const starts =
      found.background ||
      found.replaces ||
      isLast ||
      [...found.called].some((one) => this.state.functions.has(one) || /^(?:service|systemctl)$/.test(one));
    const statements = statementsOf(body);
    if (!starts || statements.length === 0) return false;
    this.flush();
    this.run(statements, isLast, depth + 1);
    return true;
  }

  #savePid({ prefix }: CommandNode): void {
    const unit = this.state.lastBackground;
    for (const one of prefix) {
      if (one.type !== 'Assignment') continue;
      if (unit !== undefined) this.state.pids.set(one.name, unit);
      this.state.report.lost(this.state.script.where(one), one.text, 'svc-super knows its services by name');
    }
  }

  #exec(statement: Statement, node: CommandNode, words: readonly Word[]): void {
    const { state } = this;
    const where = state.script.where(node);
    const [, program] = words;
    if (program === undefined) {
      this.#lost(statement, 'redirections of the whole script are not carried over', 'use `log.file`');
      return;
    }
    this.flush();
    if (/^"?\$[@*]"?$/.test(program.text)) {
      const service = {
        name: state.names.take('main'),
        comments: [placeComment(where)],
        todo: ['the script runs its arguments here: write the CMD of the image as the command'],
        fields: { command: missingCommand('main') },
      };
      state.add({ service, kind: 'main', words: [] });
      state.report.look(
        where,
        state.script.text(statement),
        'its command is the CMD of the image',
        'write that as the command',
      );
    } else addCommand(state, node, 'main');
    this.#passAwaited();
    this.ending = { kind: 'main' };
    this.#done = state.enabled === null;
  }

  /** `wait`, `wait -n`, `wait $PID …`: for all programs in the background, for the first that ends, or for those that are named. */
  #wait(statement: Statement, words: readonly Word[]): void {
    this.flush();
    const { state } = this;
    const where = state.script.where(statement);
    const options = words.slice(1).map((word) => word.value);
    const isFirst = options.some((word) => /^-\w*n/.test(word));
    const variables = words.slice(1).flatMap((word) => /^"?\$\{?(\w+)\}?"?$/.exec(word.text)?.[1] ?? []);
    const only = variables.flatMap((name) => state.pids.get(name) ?? []);
    if (words.slice(1).some((word) => word.text.includes('$!')) && state.lastBackground !== undefined)
      only.push(state.lastBackground);
    // `job & wait $!`: what follows, if anything does, waits for the job.
    const isLastOnly = only.length === 1 && !isFirst && state.units.at(-1) === only[0];
    // One `wait $pid` after the other waits for all of them.
    const all = isFirst || only.length === 0 ? only : [...new Set([...this.#waited, ...only])];
    this.#waited = isFirst ? [] : all;
    this.ending = { kind: isFirst || all.length === 1 ? 'first' : 'all', only: all.length > 0 ? all : null };
    if (isFirst && state.script.ownShell === null && /^#!.*\/(?:sh|dash|ash)\b/.test(state.script.source.text)) {
      state.report.changed(
        where,
        'wait -n',
        '`wait` of `/bin/sh` in Debian has no `-n` and ends at once with code 2; here the container ends when the first service ends',
      );
    }
    const [unit] = only;
    this.#awaited = isLastOnly && unit !== undefined ? { unit, where } : null;
    if (this.#awaited !== null && unit !== undefined) state.barrier.set(unit.service.name, 'exited');
  }

  /** Makes a task of the job that the script has waited for, if it has started a service after that. */
  #passAwaited(): void {
    const { state } = this;
    const next = state.units.at(-1);
    if (this.#awaited === null || next === undefined || next === this.#awaited.unit) return;
    makeTask(state, this.#awaited, next);
    this.#awaited = null;
    this.#waited = [];
    this.ending = { kind: 'none' };
  }

  #exit(statement: Statement): void {
    this.flush();
    const { state } = this;
    const text = state.script.text(statement);
    const where = state.script.where(statement);
    const code = /^(?:exit|return)\s+["']?(\$\{?\w+\}?|\$\?|\d+)/.exec(text)?.[1];
    if (code === '$?' || code === undefined || code.startsWith('$'))
      state.report.lost(where, text, 'the container ends with the code of the service anyway');
    else
      state.report.changed(
        where,
        text,
        `the script always exited with ${code}; the container exits with the code of the service`,
      );
    if (state.enabled === null && this.ending.kind !== 'none') this.#done = true;
  }

  #sleep(statement: Statement, words: readonly Word[]): void {
    const { state } = this;
    const value = words[1]?.value ?? '';
    if (/^inf/.test(value)) {
      this.#idle(statement);
      return;
    }
    this.flush();
    const unit = state.lastBackground;
    const where = state.script.where(statement);
    if (unit === undefined) {
      this.#lost(statement, 'nothing runs yet that it could wait for');
      return;
    }
    if (!state.barrier.has(unit.service.name)) {
      for (const implied of Object.keys((unit.service.fields.depends_on ?? {}) as object))
        state.barrier.delete(implied);
      state.barrier.set(unit.service.name, 'started');
    }
    const instead = `give ${unit.service.name} a \`ready\` probe, and let what follows depend on \`ready\``;
    state.report.changed(
      where,
      `sleep ${value}`,
      `there is no pause: what follows starts when ${unit.service.name} has started`,
      instead,
    );
  }

  #idle(statement: Statement): void {
    this.flush();
    if (this.ending.kind === 'none') this.ending = { kind: 'idle' };
    this.state.report.changed(
      this.state.script.where(statement),
      this.state.script.text(statement),
      'the container ends when all of its services have ended; the script kept running',
    );
  }

  #kill(statement: Statement): void {
    const { state } = this;
    const where = state.script.where(statement);
    const text = state.script.text(statement);
    if (this.ending.kind !== 'none') {
      state.report.lost(where, text, 'svc-super stops the other services when it ends');
      return;
    }
    state.report.look(
      where,
      text,
      'the script stops a program in the middle of the start; svc-super does not do that',
      'write one task that starts this program, uses it and stops it, or a task that does not need it',
    );
  }

  /**
   * `if` and `case`. If there are services inside, they get `enabled`, or the statement becomes one service. If there are only
   * settings, their text is repeated before the commands that need it. Otherwise the statement is part of a task.
   */
  #branch(statement: Statement, isLast: boolean, depth: number): void {
    const { state } = this;
    const { command } = statement;
    const text = state.script.text(command);
    const found = scan(command, text);
    const calls = [...found.called].some((name) => {
      const body = state.functions.get(name);
      return body !== undefined && scan(body, '').background;
    });
    if (found.background || calls) {
      this.flush();
      if (command.type === 'If' && this.#takeCondition(command, depth)) return;
      const unit = addCommand(state, command, 'background');
      unit.service.fields.command = verbatim(state, command, '\nwait');
      unit.service.fields.essential = false;
      state.report.look(
        state.script.where(command),
        unit.service.name,
        'the condition cannot be written as `enabled`, so the shell text is kept as one service, followed by `wait` of the shell; the container does not end when this service ends',
        'write one service for each program in it',
      );
    } else if (found.replaces || isLast) this.#foreground(statement, true);
    else if (found.assigned.size > 0 || found.exports || found.called.has('cd')) {
      this.flush();
      this.#repeat(command);
    } else this.#pending.push(statement);
  }

  /** Makes the condition of `if [ -n "$X" ]; then …; fi` the `enabled` of the services inside. Returns whether that is possible. */
  #takeCondition(node: Extract<SyntaxNode, { type: 'If' }>, depth: number): boolean {
    const { state } = this;
    if (node.else !== undefined || node.elif.length > 0 || state.enabled !== null) return false;
    const clause = state.script.text(node.clause);
    const condition = conditionOf(node.clause, clause, state.known);
    if (condition === null) return false;
    if (condition.changed !== null) state.report.changed(state.script.where(node), clause, condition.changed);
    const ending = this.ending;
    const barrier = new Map(state.barrier);
    state.enabled = condition.enabled;
    this.run(node.then.commands, false, depth);
    state.enabled = null;
    // What follows must not wait for something that may not be enabled.
    state.barrier = barrier;
    this.ending = ending;
    return true;
  }

  /**
   * The last command becomes the main service. Part of a task is a command before it, one that goes into the background, one after the
   * `wait` for services, and one that tidies up after a job that the script has waited for.
   */
  #foreground(statement: Statement, isLast: boolean): void {
    const { state } = this;
    const { command } = statement;
    const words = command.type === 'Command' ? literalsOf(state, command) : [];
    const isAfterWait = this.ending.kind !== 'none' && (this.#awaited === null || isPreparation(words));
    if (!isLast || isAfterWait || (command.type === 'Command' && foregroundAdvice(words) !== null)) {
      this.#pending.push(statement);
      return;
    }
    this.flush();
    addCommand(state, command, 'main');
    this.#passAwaited();
    this.ending = { kind: 'main' };
  }

  #lost(statement: Statement, why: string, instead: string | null = null): void {
    this.state.report.lost(this.state.script.where(statement), this.state.script.text(statement), why, instead);
  }

  /** Makes a task of the foreground statements since the last service. */
  flush(): void {
    const statements = this.#pending;
    this.#pending = [];
    const [first] = statements;
    if (first === undefined) return;
    const { state } = this;
    const unit =
      statements.length === 1 && first.command.type === 'Command'
        ? addCommand(state, first.command, 'task')
        : this.#addBlock(statements);
    for (const statement of statements) adviseForeground(state, statement, unit);
    if (!state.setE) unit.service.fields.essential = false;
    state.barrier = new Map([[unit.service.name, state.setE ? 'completed' : 'exited']]);
    state.report.once(
      'tasks',
      state.script.where(first),
      unit.service.name,
      'commands between the services are tasks: what follows them in the script waits for them',
      'a hook `before_start` of one service is enough where only that needs it',
    );
  }

  #addBlock(statements: readonly Statement[]): Unit {
    const { state } = this;
    const before = new Set(statements.flatMap((one) => state.preambleFor(one, state.script.text(one))));
    const flags = state.setE ? ['set -e'] : [];
    const text = [...flags, ...before, ...statements.map((one) => state.script.text(one))].join('\n');
    const [first] = statements;
    const fields: Record<string, Value> = { type: 'task', command: state.command(`${text}\n`) };
    const comments = first === undefined ? [] : [placeComment(state.script.where(first))];
    return state.add({
      service: { name: state.names.take('prepare'), comments, todo: [], fields },
      kind: 'task',
      words: [],
    });
  }
}
