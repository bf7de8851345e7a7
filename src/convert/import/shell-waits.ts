// Loops of a start script that wait until something answers, as probes. Loops that do other work are left to the caller.
import type { CompoundList, SyntaxNode } from 'unbash';
import { makeSource } from '../../config/tree.ts';
import { readSleep } from '../quantities.ts';
import type { Value } from '../yaml-values.ts';
import { isLocal, probeOfText, probeValue } from './command-probe.ts';
import { type CommandNode, ShellScript, statementsOf, wordsOf } from './shell-script.ts';

/** What a loop waits for. */
export interface WaitLoop {
  /** The value of `ready` for a service with this first port. */
  value(own: number | null): Readonly<Record<string, Value>>;
  /** The port that it asks; null: it asks no port. */
  readonly port: number | null;
  /** It asks another machine. */
  readonly isElsewhere: boolean;
  /** After this the script gives up, seconds; null: never, or the script does not say it in a way that is read here. */
  readonly seconds: number | null;
}

/** What a watchdog does, from its source. */
export interface Watchdog {
  readonly question: WaitLoop;
  /** Between two attempts, seconds. */
  readonly pause: number;
  /** Before the first attempt, seconds, besides `pause`. */
  readonly delay: number;
  /** The variable with the process ID that it kills; null: it ends the script. */
  readonly victim: string | null;
}

/** Commands in the body of a loop that only pass the time. */
const IDLE = /^(?:echo|printf|sleep|:|true|let|date|log|expr|break|\[|test|exit|return|continue|>&2)$/;

/** The wait loop that a statement is; null: it is not a loop, or does other work. */
export function waitLoopOf(node: SyntaxNode, script: ShellScript): WaitLoop | null {
  if (node.type === 'While') {
    const clause = script.text(node.clause).replace(/;\s*$/, '').trim();
    const question = node.kind === 'until' ? (clause.startsWith('!') ? null : clause) : negatedOf(node.clause, clause);
    if (question === null || !isIdle(node.body, script)) return null;
    return makeLoop(question, null);
  }
  if (node.type === 'For') return forLoop(node, script);
  if (node.type === 'Command') return commandLoop(node, script);
  return null;
}

/** The command whose failure keeps a `while` loop going; null: the `!` negates only a part of its condition. */
function negatedOf({ commands }: CompoundList, text: string): string | null {
  const isOne = commands.length === 1 && commands[0]?.command.type !== 'AndOr';
  return (isOne ? /^!\s*(.*)$/s.exec(text)?.[1] : null) ?? null;
}

function isIdle(body: SyntaxNode, script: ShellScript): boolean {
  return statementsOf(body).every(({ command, background }) => background !== true && isIdleCommand(command, script));
}

function isIdleCommand(command: SyntaxNode, script: ShellScript): boolean {
  switch (command.type) {
    case 'Command':
      return IDLE.test(command.name?.value ?? ':');
    case 'If': {
      const { clause, elif } = command;
      const branches = [clause, command.then, ...elif.flatMap((one) => [one.clause, one.then]), command.else];
      const asks = /\b(?:curl|wget|kill|python)\b/.test(script.text(command));
      return !asks && branches.every((branch) => branch === undefined || isIdle(branch, script));
    }
    case 'BraceGroup':
      return isIdle(command, script);
    case 'AndOr':
    case 'Pipeline':
      return command.commands.every((one) => isIdleCommand(one, script));
    default:
      return command.type === 'TestCommand' || command.type === 'ArithmeticCommand';
  }
}

/** `for i in $(seq 1 60); do curl … && break; sleep 1; done`. */
function forLoop(node: Extract<SyntaxNode, { type: 'For' }>, script: ShellScript): WaitLoop | null {
  const count = countOf((node.wordlist ?? []).map(({ text }) => text));
  let question: string | null = null;
  let pause = 0;
  for (const { command, background } of statementsOf(node.body)) {
    if (background === true) return null;
    if (
      command.type === 'AndOr' &&
      question === null &&
      command.operators[0] === '&&' &&
      /^break\b/.test(script.text(command.commands[1] ?? command)) &&
      command.commands.slice(2).every((one) => isIdleCommand(one, script))
    ) {
      question = script.text(command.commands[0] ?? command);
      pause = pauseOf(command.commands.slice(2)) ?? pause;
    } else if (
      command.type === 'If' &&
      question === null &&
      /\bbreak\b/.test(script.text(command.then)) &&
      isIdle(command.then, script) &&
      command.elif.length === 0 &&
      (command.else === undefined || isIdle(command.else, script))
    ) {
      question = script.text(command.clause).replace(/;\s*$/, '').trim();
      const others = command.else === undefined ? [] : statementsOf(command.else);
      pause = pauseOf(others.map((one) => one.command)) ?? pause;
    } else if (command.type === 'Command' && command.name?.value === 'sleep') pause = pauseOf([command]) ?? pause;
    else if (command.type !== 'Command' || !IDLE.test(command.name?.value ?? ':')) return null;
  }
  if (question === null || question.startsWith('!')) return null;
  return makeLoop(question, count === null ? null : Math.max(1, Math.round(count * Math.max(1, pause))));
}

/** The seconds of the `sleep` among commands; null: there is none. */
function pauseOf(commands: readonly SyntaxNode[]): number | null {
  const [argument] = commands.flatMap((one) =>
    one.type === 'Command' && one.name?.value === 'sleep' ? [one.args[0]] : [],
  );
  if (argument === undefined) return null;
  return readSleep(argument.type === 'Word' ? argument.value : '') || 1;
}

/** How many words the list of a `for` loop has; null: only the running script knows. */
function countOf(list: readonly string[]): number | null {
  if (list.length > 0 && list.every((word) => /^[\w.:-]+$/.test(word))) return list.length;
  const [only = '', ...more] = list;
  const seq = /^(?:\$\(\s*seq\s+([\d\s]+)\)|`\s*seq\s+([\d\s]+)`)$/.exec(only);
  const braces = /^\{(\d+)\.\.(\d+)\}$/.exec(only);
  const numbers = (braces?.slice(1) ?? (seq?.[1] ?? seq?.[2] ?? '').trim().split(/\s+/)).map(Number);
  if (more.length > 0 || (seq === null && braces === null) || numbers.length > 3) return null;
  const last = numbers.at(-1) ?? 0;
  const [first = 1, step = 1] = numbers.slice(0, -1);
  return last < first || step === 0 ? null : Math.floor((last - first) / step) + 1;
}

/** `timeout 60 bash -c 'until …'` and `wait-for-it HOST:PORT`. */
function commandLoop(node: CommandNode, script: ShellScript): WaitLoop | null {
  const words = wordsOf(node).map(({ value }) => value);
  const [program = '', ...rest] = words;
  if (program === 'timeout') {
    const [, count = '', unit = 's'] = /^(\d+)([smh]?)$/.exec(rest[0] ?? '') ?? [];
    const text = /^(?:ba)?sh$/.test(rest[1] ?? '') && rest[2] === '-c' ? rest[3] : undefined;
    if (count === '' || text === undefined) return null;
    const inner = new ShellScript(makeSource(script.source.file, text));
    const [only, ...more] = inner.tree.commands;
    const loop = only === undefined || more.length > 0 ? null : waitLoopOf(only.command, inner);
    return loop === null ? null : { ...loop, seconds: Number(count) * ({ s: 1, m: 60, h: 3600 }[unit || 's'] ?? 1) };
  }
  if (/(?:^|\/)wait-for-it(?:\.sh)?$/.test(program)) {
    const [, host, port] = /^([\w.-]+):(\d{1,5})$/.exec(rest.find((word) => /^[\w.-]+:\d+$/.test(word)) ?? '') ?? [];
    if (host === undefined || rest.includes('--')) return null;
    const long = rest.find((word) => word.startsWith('--timeout='))?.slice('--timeout='.length);
    // Without a limit it waits 15 seconds, and with a limit of 0 for ever.
    const limit = Number(long ?? (rest.includes('-t') ? rest[rest.indexOf('-t') + 1] : 15));
    return makeLoop(`nc -z ${host} ${port}`, limit > 0 ? limit : null);
  }
  return null;
}

/** What a command asks, once. null: it is no question. */
export const questionOf = (command: string): WaitLoop | null => makeLoop(command, null);

function makeLoop(question: string, seconds: number | null): WaitLoop | null {
  const text = question.trim();
  const probe = probeOfText(text);
  if (probe !== null) {
    const value = (own: number | null) => probeValue(probe, own) as Readonly<Record<string, Value>>;
    return { value, port: probe.port, isElsewhere: !isLocal(probe.host), seconds };
  }
  const [, flag, path] = /^(?:\[\[?|test)\s+-([efsS])\s+["']?([\w./-]+)["']?(?:\s+\]\]?)?$/.exec(text) ?? [];
  if (path !== undefined) {
    const value = flag === 'S' && path.startsWith('/') ? { tcp: { socket: path } } : { file: path };
    return { value: () => value, port: null, isElsewhere: false, seconds };
  }
  if (text === '' || /^(?:\[|test\b|true$|:$|\(\(|read\b)/.test(text)) return null;
  const bare = text.replace(/\s+(?:>|&>|1>|2>)\s*\/dev\/null(?:\s+2>&1)?|\s+2>&1\s*$/g, '');
  const port = /(?::|-p\s*|--port[ =])(\d{2,5})\b/.exec(bare)?.[1];
  return { value: () => ({ exec: bare }), port: port === undefined ? null : Number(port), isElsewhere: false, seconds };
}
