// One `[program:x]` of a supervisord.conf as services of services.yaml. Meanings and defaults are those of supervisor 4.2.5
// (supervisor/options.py, process.py; http://supervisord.org/configuration.html).
import { readBoolean } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { meaningOf, shellText, shortSignal, splitWords } from '../words.ts';
import type { Value } from '../yaml-values.ts';
import { placeComment } from './source.ts';
import type { IniSection } from './supervisord-ini.ts';
import { importLogs } from './supervisord-logs.ts';
import { type ProgramContext, ProgramReader } from './supervisord-reader.ts';
import { readInteger } from './supervisord-values.ts';

/** A service and its place in the order of `priority`. */
export interface ImportedProgram {
  readonly priority: number;
  readonly service: ServiceDraft;
  /** Seconds of `stopwaitsecs`; null: not given. */
  readonly stopSeconds: number | null;
}

/** Copies up to this number become services of their own if `replicas` cannot have their names. */
const MAX_SEPARATE = 16;

/** Keys without an effect on what runs: why, and what to do instead. */
const LOST: Readonly<Record<string, readonly [why: string, instead: string | null]>> = {
  serverurl: ['svc-super sets SVC_SUPER_SOCKET', null],
  stdout_capture_maxbytes: ['there is no capture of tagged output', null],
  stderr_capture_maxbytes: ['there is no capture of tagged output', null],
  stdout_events_enabled: ['there are no event listeners', 'use `svc-super logs -f`'],
  stderr_events_enabled: ['there are no event listeners', 'use `svc-super logs -f`'],
  stdout_syslog: ['output is not sent to syslog', 'let the container runtime do that'],
  stderr_syslog: ['output is not sent to syslog', 'let the container runtime do that'],
  killasgroup: ['all processes of a service are always killed', null],
};

const KNOWN = new Set(
  (
    'command process_name numprocs numprocs_start priority autostart autorestart startsecs startretries exitcodes ' +
    'stopsignal stopwaitsecs stopasgroup redirect_stderr environment directory user umask stdout_logfile ' +
    'stdout_logfile_maxbytes stdout_logfile_backups stderr_logfile stderr_logfile_maxbytes stderr_logfile_backups'
  ).split(' '),
);

/** The services that a program section becomes. */
export function importProgram(section: IniSection, context: ProgramContext): readonly ImportedProgram[] {
  const probe = new ProgramReader(section, context, { number: 0, count: 1, isSilent: true });
  const count = Math.max(1, probe.number('numprocs') ?? 1);
  const first = probe.number('numprocs_start') ?? 0;
  const readerOf = (number: number | null, isSilent = false) =>
    new ProgramReader(section, context, { number, count, isSilent });
  if (count === 1) return [importCopy(readerOf(first), 1, null)];
  const texts = [...section.keys.values()].map(({ value }) => value).join('\n');
  const isPlain = first === 0 && !/%\(process_num\)[#0 +-]*\d+/.test(texts);
  if (isPlain || count > MAX_SEPARATE) {
    const reader = readerOf(null);
    if (!isPlain) {
      const why = 'the number of a copy begins at 0 and has no leading zeros';
      reader.note('changed', 'process_name', why, 'compute the other number from `$SVC_REPLICA` in a shell text');
    }
    return [importCopy(reader, count, null)];
  }
  return Array.from({ length: count }, (_, index) => {
    // What is reported about the first copy applies to all.
    return importCopy(readerOf(first + index, index > 0), 1, first + index);
  });
}

/** `replicas`: copies that svc-super makes. `number`: of the one that is a service of its own. */
function importCopy(reader: ProgramReader, replicas: number, number: number | null): ImportedProgram {
  const { section, context, program } = reader;
  const named = reader.expand('process_name');
  const separate = number === null ? program : `${program}-${number}`;
  const hasName = named !== null && !named.text.includes('${') && replicas === 1;
  const name = context.names.take(hasName ? named.text : separate, context.report, reader.where('process_name'));
  const service: ServiceDraft = { name, comments: [placeComment(section.where)], todo: [], fields: {} };
  const { fields } = service;
  fields.command = importCommand(reader, service);
  if (replicas > 1) fields.replicas = replicas;
  if (replicas > 1 && named !== null)
    reader.note('changed', 'process_name', `the copies are called ${name}.0, ${name}.1 and so on`);
  importProcess(reader, fields);
  importRestart(reader, fields);
  const stopSeconds = importStop(reader, fields);
  importLogs(reader, fields, replicas > 1);
  reportKeys(reader);
  return { priority: reader.number('priority') ?? 999, service, stopSeconds };
}

function importCommand(reader: ProgramReader, service: ServiceDraft): Value {
  const expanded = reader.expand('command');
  const stop = (todo: string): Value => {
    service.todo.push(todo);
    return `echo ${JSON.stringify(`${service.name}: ${todo}`).replaceAll('`', "'").replaceAll('$', '')} >&2; exit 78`;
  };
  if (expanded === null || expanded.shell.trim() === '') return stop('supervisord has no command here: give one');
  const shellWords = splitWords(expanded.shell);
  const words = splitWords(expanded.text);
  const refuse = (why: string): Value => {
    reader.note('look', 'command', `supervisord cannot start it: ${why}`);
    return stop('this command has an open quote: correct it');
  };
  if (!shellWords.ok) return refuse(shellWords.why);
  if (!words.ok) return refuse(words.why);
  const text = shellText(shellWords.words);
  if (text !== null) return text;
  if (shellWords.words.some((word) => /^(?:&&|\|\||\||;|>|>>|<|2>&1|&)$/.test(word))) {
    const why = 'no shell reads the command: the program gets such a sign as an argument, as under supervisord';
    reader.note('look', 'command', why, 'write the command as one text if a shell is meant');
  }
  if (/(?:^|[^"'])%\(ENV_\w+\)s/.test(reader.key('command')?.value ?? '')) {
    const why = 'a variable becomes one argument, while supervisord splits its value at spaces';
    reader.context.report.once('split', reader.where('command'), `command of ${reader.program}`, why);
  }
  return words.words;
}

function importProcess(reader: ProgramReader, fields: ServiceDraft['fields']): void {
  if (reader.variables.size > 0) fields.env = Object.fromEntries(reader.variables);
  const directory = reader.expand('directory');
  if (directory !== null) fields.cwd = directory.text;
  const user = reader.expand('user');
  if (user !== null) {
    fields.user = user.text;
    reader.context.report.once(
      'user',
      reader.where('user'),
      'user',
      'svc-super also sets HOME, USER and LOGNAME to those of the user, which supervisord does not',
      'set HOME in `env` if a program needs another one',
    );
  }
  const umask = reader.expand('umask');
  if (umask !== null) fields.umask = umask.text;
  if (reader.boolean('autostart') === false) fields.start = 'manual';
  const seconds = reader.number('startsecs');
  if (seconds !== null && seconds !== 1) {
    const why = 'a program that ends sooner counts there as not started, and here as ended';
    reader.note('lost', 'startsecs', why, 'a `ready` probe says when a service is ready');
  }
  if (reader.key('priority') !== undefined) {
    const why = 'it orders the services in this file; supervisord does not wait between them either';
    reader.note('changed', 'priority', why, 'use `depends_on` to start a service after another one is ready');
  }
}

function importRestart(reader: ProgramReader, fields: ServiceDraft['fields']): void {
  const { ends, report } = reader.context;
  const word = reader.expand('autorestart')?.text.toLowerCase() ?? 'unexpected';
  const always = readBoolean(word);
  const retries = reader.number('startretries') ?? 3;
  const codes = readCodes(reader);
  if (always === null && word !== 'unexpected') reader.note('look', 'autorestart', 'supervisord rejects it');
  if (codes !== null && JSON.stringify(codes) !== '[0]') fields.success_codes = codes;
  const policy = always === true ? 'always' : always === false || retries === 0 ? 'never' : 'on-failure';
  if (ends === 'any') {
    if (policy !== 'never') {
      reader.note(
        'changed',
        'autorestart',
        'the event listener ended the container after any exit',
        'it is not restarted',
      );
    }
    if (reader.key('startretries') !== undefined) reader.note('lost', 'startretries', 'nothing is restarted');
    return;
  }
  if (policy === 'never' && always === null) {
    const why =
      'it limits failed starts: supervisord starts a program again that fails after startsecs, and svc-super does not';
    reader.note('changed', 'startretries', why, 'write `restart: on-failure`');
  }
  if (policy !== 'never') {
    fields.restart = { policy, ...(retries > 0 && { max: retries }), backoff: { initial: '1s' } };
    report.once(
      'restart',
      reader.where('autorestart'),
      'restarts',
      '`max` counts restarts in a row, 60 s of readiness reset the count, and the pause doubles from 1 s; supervisord counts only starts that ended within startsecs',
    );
  } else if (reader.key('startretries') !== undefined && retries !== 0) {
    reader.note('lost', 'startretries', 'nothing is restarted after it has run');
  }
  if (policy === 'never' && retries > 0 && (reader.number('startsecs') ?? 1) > 0) {
    const why = 'supervisord also starts a program again that ends within startsecs, whatever autorestart says';
    report.once('startsecs', reader.where('autorestart'), `autorestart of ${reader.program}`, why);
  }
  if (ends === 'fatal' && policy === 'never') {
    fields.essential = false;
    const why =
      'for supervisord a program that ends and is not restarted has not failed, so `essential: false` is written';
    report.once('essential', reader.section.where, `the end of ${reader.program}`, why);
  }
  if (ends === null) {
    fields.essential = false;
    report.once(
      'essential',
      reader.section.where,
      'the end of a program',
      'supervisord runs on when programs end, so `essential: false` is written; when all have ended, svc-super ends, which supervisord does not',
      'most containers should end when a program fails permanently: remove `essential: false`',
    );
  }
}

function readCodes(reader: ProgramReader): readonly number[] | null {
  const expanded = reader.expand('exitcodes');
  if (expanded === null || expanded.text === '') return null;
  const codes = expanded.text.split(',').map((one) => readInteger(one));
  const valid = codes.filter((one): one is number => one !== null && one >= 0 && one <= 255);
  if (valid.length === codes.length) return valid;
  reader.note(
    'look',
    'exitcodes',
    'supervisord rejects it: each must be a number from 0 to 255',
    'the default is used',
  );
  return null;
}

function importStop(reader: ProgramReader, fields: ServiceDraft['fields']): number | null {
  const given = reader.expand('stopsignal')?.text.trim();
  const signal = given === undefined ? undefined : shortSignal(given);
  const seconds = reader.number('stopwaitsecs');
  const group = reader.boolean('stopasgroup') === true;
  const stop = {
    ...(signal !== undefined && signal !== 'TERM' && { signal: /^\d+$/.test(signal) ? Number(signal) : signal }),
    ...(seconds !== null && seconds >= 0 && { timeout: `${seconds}s` }),
    ...(group && { to: 'group' }),
  };
  if (Object.keys(stop).length > 0) fields.stop = stop;
  return seconds;
}

function reportKeys(reader: ProgramReader): void {
  const { section } = reader;
  for (const { name, cut } of section.keys.values()) {
    const [why, instead] = meaningOf(LOST, name) ?? [];
    if (why !== undefined) reader.note('lost', name, why, instead ?? null);
    else if (!KNOWN.has(name)) reader.note('lost', name, 'supervisord ignores unknown keys');
    if (cut !== null && /["']/.test(cut)) {
      const why2 = `supervisord reads \`${cut}\` as a comment, also within quotes`;
      reader.note('look', name, why2, 'the value is carried over without it');
    }
  }
  for (const { name, where } of section.repeated) {
    const what = `${name} of ${reader.program}`;
    reader.context.report.lost(where, what, 'supervisord reads only the last one of several');
  }
}
