// Watchdogs of a start script: loops in the background that ask a service again and again and end it, or the script, when it does
// not answer. Each becomes the `live` probe of that service.
import { hasPort } from './shell-names.ts';
import { type ShellScript, type SyntaxNode, statementsOf } from './shell-script.ts';
import { addProbe, type ShellState, type Unit } from './shell-state.ts';
import { questionOf, type Watchdog } from './shell-waits.ts';

/** What the body of a loop may do besides asking and killing. */
const IDLE = /^(?:echo|printf|date|log|logger|:|true)$/;
const KILLS = /^(?:kill|pkill|killall|exit|break)$/;
/** Between two attempts where the loop has no `sleep`, seconds. */
const NO_PAUSE = 1;

/** The watchdog that a statement is; null: it is no loop of that kind. */
export function watchdogOf(node: SyntaxNode, script: ShellScript): Watchdog | null {
  if (node.type === 'Subshell' || node.type === 'BraceGroup') return groupOf(node, script);
  if (node.type !== 'While' || node.kind !== 'while') return null;
  const clause = script.text(node.clause).replace(/;\s*$/, '').trim();
  const waits = /^sleep\s+(\d+)([smh]?)$/.exec(clause);
  if (waits === null && !/^(?:true|:|\[ 1 \]|\(\(1\)\))$/.test(clause)) return null;
  return bodyOf(node.body, script, waits === null ? null : secondsOf(waits[1], waits[2]));
}

/** `( sleep 60; while …; done )`, and `( while curl …; do sleep 5; done; kill 1 )`. */
function groupOf(node: SyntaxNode, script: ShellScript): Watchdog | null {
  const delay = statementsOf(node).some(({ command }) => isSleep(command)) ? sleepOf(node, script) : 0;
  const statements = statementsOf(node).filter(({ command }) => !isIdle(command) && !isSleep(command));
  const [only, kill, ...more] = statements;
  if (only === undefined || more.length > 0 || statements.some(({ background }) => background === true)) return null;
  if (kill === undefined) {
    const inner = watchdogOf(only.command, script);
    return inner === null ? null : { ...inner, delay: inner.delay + delay };
  }
  const loop = only.command;
  if (loop.type !== 'While' || loop.kind !== 'while' || !isKill(kill.command)) return null;
  const pauses = statementsOf(loop.body);
  if (!pauses.every(({ command }) => isSleep(command) || isIdle(command))) return null;
  const made = make(script.text(loop.clause), sleepOf(loop.body, script), script.text(kill.command));
  return made === null ? null : { ...made, delay };
}

/** One check whose failure kills, with pauses and messages around it. */
function bodyOf(body: SyntaxNode, script: ShellScript, before: number | null): Watchdog | null {
  const checks = statementsOf(body).filter(({ command }) => !isIdle(command) && !isSleep(command));
  const [check, ...more] = checks;
  if (check === undefined || more.length > 0 || check.background === true) return null;
  const pause = before ?? sleepOf(body, script);
  const { command } = check;
  if (command.type === 'AndOr') {
    const [question, kill, ...others] = command.commands;
    if (question === undefined || kill === undefined || others.length > 0 || command.operators[0] !== '||') return null;
    return isKilling(kill) ? make(script.text(question), pause, script.text(kill)) : null;
  }
  if (command.type !== 'If' || command.else !== undefined || !isKilling(command.then)) return null;
  const [, question] = /^!\s*(.*)$/s.exec(script.text(command.clause).trim()) ?? [];
  return question === undefined ? null : make(question, pause, script.text(command.then));
}

function make(question: string, pause: number, kill: string): Watchdog | null {
  const asked = questionOf(question.replace(/;\s*$/, '').trim());
  if (asked === null || asked.isElsewhere || 'file' in asked.value(null)) return null;
  const name = /\bkill\b[^\n;|&]*\$\{?([A-Za-z_]\w*)/.exec(kill)?.[1] ?? null;
  return { question: asked, pause, delay: 0, victim: name };
}

const nameOf = (node: SyntaxNode): string | null => (node.type === 'Command' ? (node.name?.value ?? '') : null);
const isIdle = (node: SyntaxNode): boolean => IDLE.test(nameOf(node) ?? '');
const isSleep = (node: SyntaxNode): boolean => nameOf(node) === 'sleep';
const isKill = (node: SyntaxNode): boolean => KILLS.test(nameOf(node) ?? '');

/** A kill, or a list that only kills, prints and waits. */
function isKilling(node: SyntaxNode): boolean {
  if (node.type === 'Command') return isKill(node) && nameOf(node) !== 'break';
  const commands = statementsOf(node).map(({ command }) => command);
  const kills = commands.filter((one) => isKill(one) && nameOf(one) !== 'break');
  return kills.length > 0 && commands.every((one) => isKill(one) || isIdle(one) || isSleep(one));
}

/** The seconds of the first `sleep` in a list. */
function sleepOf(body: SyntaxNode, script: ShellScript): number {
  const text = statementsOf(body).find(({ command }) => isSleep(command));
  const [, count, unit] = /^sleep\s+(\d+)([smh]?)/.exec(text === undefined ? '' : script.text(text)) ?? [];
  return count === undefined ? NO_PAUSE : secondsOf(count, unit);
}

const secondsOf = (count = '1', unit = ''): number =>
  Math.min(86_400, Math.max(1, Number(count) * ({ m: 60, h: 3600 }[unit] ?? 1)));

/** Gives the services their `live` probes, once all of them are known. */
export function placeWatchdogs(state: ShellState): void {
  for (const { node, watchdog } of state.watchdogs) {
    const { script, report } = state;
    const [where, text] = [script.where(node), script.text(node)];
    const services = state.units.filter(({ kind }) => kind !== 'task');
    const { port } = watchdog.question;
    const named = findWatched(state, watchdog, services);
    const unit = named ?? services.at(-1);
    if (unit === undefined) {
      report.lost(where, text, 'it is a watchdog, and there is no service that it could watch');
      continue;
    }
    const { fields, name } = unit.service;
    if (named === null && services.length > 1) {
      const why = `it is taken for a watchdog of ${name}, since no command names ${port === null ? 'what it asks' : `port ${port}`}`;
      report.look(where, text, why, 'move the `live` probe to the service that it asks');
    }
    if (fields.port === undefined && port !== null) fields.port = port;
    const probe = watchdog.question.value(typeof fields.port === 'number' ? fields.port : null);
    addProbe(fields, 'live', { ...probe, interval: `${watchdog.pause}s`, failures: 1 });
    // The end of the service has to be the end of the container, as it was.
    if (watchdog.victim === null) delete fields.essential;
    const why = `it is the \`live\` probe of ${name}: the service fails with the first attempt that fails or takes 5 s`;
    if (watchdog.delay > 0) {
      const begins = `the probe begins when ${name} is ready, and the loop began ${watchdog.delay} s after the start`;
      report.changed(where, text, begins, `give ${name} a \`ready\` probe`);
    }
    report.changed(where, text, why, '`failures: 3` tolerates a slow answer; `restart: on-failure` starts it again');
  }
}

/** The service whose port it asks, or whose process it kills; null: neither is known. */
function findWatched(state: ShellState, { question, victim }: Watchdog, services: readonly Unit[]): Unit | null {
  const byPid = victim === null ? undefined : state.pids.get(victim);
  if (byPid !== undefined) return byPid;
  const { port } = question;
  if (port === null) return null;
  const main = services.findLast(({ kind, words }) => kind === 'main' && hasPort(words, port));
  return state.findByPort(port) ?? main ?? null;
}
