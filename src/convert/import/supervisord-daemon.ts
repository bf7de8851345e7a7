// The section `[supervisord]`: what of it reaches the programs becomes `env` and `defaults`; the rest is about the daemon and
// is reported.
import { readBoolean } from '../quantities.ts';
import type { FileDraft } from '../services-yaml.ts';
import { meaningOf } from '../words.ts';
import type { Value } from '../yaml-values.ts';
import type { Report } from './source.ts';
import type { IniKey, IniSection } from './supervisord-ini.ts';
import { type Expanded, expandPercent, fromMarks, readInteger, readPairs } from './supervisord-values.ts';

/** Keys about the daemon, and why nothing stands for them. */
const LOST: Readonly<Record<string, string>> = {
  nodaemon: 'svc-super always runs in the foreground',
  silent: 'svc-super prints the output of the services',
  pidfile: 'it is a flag here: `svc-super up --pid-file PATH`',
  logfile: 'the events of svc-super itself are printed',
  logfile_maxbytes: 'the events of svc-super itself are printed',
  logfile_backups: 'the events of svc-super itself are printed',
  childlogdir: 'output is printed, not kept in temporary files',
  nocleanup: 'there are no temporary log files',
  identifier: 'clients of supervisord see it; `name` of services.yaml is shown in `status` and in the metrics',
  minprocs: 'the limit of processes is that of the container',
};

/** `[supervisord] environment`; empty where there is none, or a wrong one. */
export function readEnvironment(daemon: IniSection | undefined): ReadonlyMap<string, string> {
  const text = textOf(daemon?.keys.get('environment'));
  const read = readPairs(text?.marked ?? '');
  return read.ok ? read.pairs : new Map();
}

function textOf(key: IniKey | undefined): Expanded | null {
  if (key === undefined) return null;
  const result = expandPercent(key.value, (name) => {
    const variable = /^ENV_(\w+)$/.exec(name)?.[1];
    return variable === undefined ? null : { kind: 'reference', variable };
  });
  return result.ok ? result.value : null;
}

/** Carries over what the programs inherit from the daemon. */
export function importDaemon(daemon: IniSection, draft: FileDraft, report: Report): void {
  const defaults: Record<string, Value> = {};
  for (const key of daemon.keys.values()) {
    const { name, where } = key;
    const what = `${name} of [supervisord]`;
    const expanded = textOf(key);
    const text = expanded?.text ?? null;
    const why = meaningOf(LOST, name);
    if (why !== undefined) report.lost(where, what, why);
    else if (text === null) report.look(where, what, 'supervisord refuses the value', 'it is left out');
    else if (name === 'environment') importEnvironment(expanded?.marked ?? '', draft, report, key);
    else if (name === 'umask') defaults.umask = text;
    else if (name === 'directory') defaults.cwd = text;
    else if (name === 'user' && !/^(?:root|0)$/.test(text)) defaults.user = text;
    else if (name === 'user')
      report.lost(where, what, 'services run as the user of the container', 'root is the usual one');
    else if (name === 'loglevel') importLevel(text, draft, report, key);
    else if (name === 'strip_ansi') importStripAnsi(text, defaults, report, key);
    else if (name === 'minfds') {
      const count = readInteger(text);
      if (count !== null && count > 0) defaults.limits = { nofile: count };
      report.changed(where, what, 'it is the limit of open files of each service, soft and hard');
    } else report.lost(where, what, 'supervisord ignores unknown keys');
  }
  for (const { name, where } of daemon.repeated) {
    report.lost(where, `${name} of [supervisord]`, 'supervisord reads only the last one of several');
  }
  if (Object.keys(defaults).length > 0) draft.top.defaults = defaults;
}

function importEnvironment(text: string, draft: FileDraft, report: Report, { where }: IniKey): void {
  const read = readPairs(text);
  if (read.ok)
    draft.top.env = Object.fromEntries([...read.pairs].map(([name, value]) => [name, fromMarks(value).text]));
  else report.look(where, 'environment of [supervisord]', `supervisord rejects it: ${read.why}`, 'it is left out');
}

/** Levels of supervisord, and those of svc-super. */
const LEVELS: Readonly<Record<string, string>> = {
  critical: 'error',
  error: 'error',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
  blather: 'debug',
};

function importLevel(text: string, draft: FileDraft, report: Report, { where }: IniKey): void {
  const level = LEVELS[text.toLowerCase()];
  const what = 'loglevel of [supervisord]';
  if (level === undefined) report.look(where, what, 'supervisord refuses the value', 'it is left out');
  else {
    draft.top.log = { level };
    if (level !== text.toLowerCase()) report.changed(where, what, `the nearest level of svc-super is \`${level}\``);
  }
}

function importStripAnsi(text: string, defaults: Record<string, Value>, report: Report, { where }: IniKey): void {
  if (readBoolean(text) === true) defaults.log = { ansi: 'strip' };
  else report.lost(where, 'strip_ansi of [supervisord]', 'keeping escape sequences is the default');
}
