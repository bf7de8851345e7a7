// Imports a supervisord.conf with the files that it includes: programs become services; an event listener that ends
// supervisord becomes `exit: first`. Reads as supervisor 4.2.5 does (supervisor/options.py). Reads no file but through its
// input.
import { dirname, isAbsolute, join } from '../../paths.ts';
import type { Where } from '../findings.ts';
import { adviseDockerStop, writeStopTimeout } from '../quantities.ts';
import { type FileDraft, makeDraft } from '../services-yaml.ts';
import { sourceOf } from '../source-text.ts';
import { meaningOf } from '../words.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, Report } from './source.ts';
import { importDaemon, readEnvironment } from './supervisord-daemon.ts';
import { type IniSection, readIni } from './supervisord-ini.ts';
import { type ImportedProgram, importProgram } from './supervisord-program.ts';
import type { ProgramContext } from './supervisord-reader.ts';

/** Default of `stop_timeout`, seconds: `docker stop` kills after 10. */
const USUAL_STOP = 9;

/** Imports a configuration. Fails where supervisord refuses to read the file at all, or runs nothing. */
export function importSupervisord(input: ImportInput): Imported {
  const report = new Report();
  const sections = new Map<string, IniSection>();
  for (const file of [input, ...input.more]) {
    const read = readIni(sourceOf(file), sections);
    if (!read.ok) return read;
  }
  const failure = readIncludes(input, sections, report);
  if (failure !== null) return failure;
  const draft = makeDraft();
  const daemon = sections.get('supervisord');
  const ends = importListeners(sections, draft, report);
  const context: ProgramContext = {
    report,
    names: new Names(),
    here: dirname(input.path),
    environment: readEnvironment(daemon),
    groups: importGroups(sections, report),
    ends,
  };
  if (daemon !== undefined) importDaemon(daemon, draft, report);
  const programs = [...sections.values()].filter(({ name }) => name.startsWith('program:'));
  if (programs.length === 0) return { ok: false, where: null, message: 'there is no `[program:NAME]` in it' };
  const imported = programs.flatMap((section) => importProgram(section, context));
  draft.services = orderByPriority(imported).map(({ service }) => service);
  importStopTimeout(imported, draft, report);
  reportSections(sections, report);
  return { ok: true, draft, findings: report.findings };
}

/** A lower number starts first; Python's sort keeps the order of the file. */
function orderByPriority(programs: readonly ImportedProgram[]): readonly ImportedProgram[] {
  return [...programs].sort((a, b) => a.priority - b.priority);
}

function importStopTimeout(programs: readonly ImportedProgram[], draft: FileDraft, report: Report): void {
  const longest = Math.max(0, ...programs.map(({ stopSeconds }) => stopSeconds ?? 0));
  if (longest < USUAL_STOP) return;
  draft.top.stop_timeout = writeStopTimeout(longest);
  const instead = adviseDockerStop(longest);
  report.changed(
    null,
    'stopwaitsecs',
    'the whole shutdown has one deadline, `stop_timeout`, for all services',
    instead,
  );
}

/** Files of `[include]`, relative to the file that names them. They may not include others. */
function readIncludes(input: ImportInput, sections: Map<string, IniSection>, report: Report): Imported | null {
  const files = sections.get('include')?.keys.get('files');
  if (files === undefined) return null;
  const here = dirname(input.path);
  for (const written of files.value.split(/\s+/).filter((one) => one !== '')) {
    const pattern = written.replaceAll('%(here)s', here);
    const paths = matchFiles(input, isAbsolute(pattern) ? pattern : join(here, pattern));
    if (paths.length === 0) {
      report.look(
        files.where,
        `include ${written}`,
        'no file of this name is here',
        'import again where the files are',
      );
    }
    for (const path of paths) {
      const text = input.read(path);
      if (text === null) {
        report.look(files.where, `include ${path}`, 'it cannot be read', 'import again where it can be');
        continue;
      }
      const read = readIni(sourceOf({ path, text }), sections);
      if (!read.ok) return read;
    }
  }
  return null;
}

/** Paths for a pattern with `*`, `?`, `[…]` in its last part, in the order of `input.list`, which is that of Python. */
function matchFiles(input: ImportInput, pattern: string): readonly string[] {
  const name = pattern.slice(pattern.lastIndexOf('/') + 1);
  if (!/[*?[]/.test(name)) return input.read(pattern) === null ? [] : [pattern];
  const folder = dirname(pattern);
  const source = name
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^');
  const matcher = safePattern(`^${source}$`);
  const names = input.list(folder) ?? [];
  return names
    .filter((one) => !one.endsWith('/') && !one.startsWith('.') && matcher?.test(one))
    .map((one) => join(folder, one));
}

function safePattern(source: string): RegExp | null {
  try {
    return new RegExp(source);
  } catch {
    return null;
  }
}

function importGroups(sections: ReadonlyMap<string, IniSection>, report: Report): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const { name, keys, where } of sections.values()) {
    if (!name.startsWith('group:')) continue;
    const group = name.slice('group:'.length);
    for (const program of keys.get('programs')?.value.split(',') ?? []) groups.set(program.trim(), group);
    const members = keys.get('programs')?.value.replaceAll(/\s+/g, ' ') ?? 'no programs';
    const why = `it only names ${members} together; \`group\` of services.yaml is a stage of the start`;
    report.lost(where, `[${name}]`, why, 'give the names to `svc-super restart`, or a pattern');
    for (const key of keys.values()) {
      if (key.name !== 'programs') report.lost(key.where, `${key.name} of [${name}]`, 'groups are not carried over');
    }
  }
  return groups;
}

/** Commands that end supervisord when an event comes. */
const KILLS =
  /\bkill(?:pg)?\b|\bpkill\b|supervisorctl\b.*\bshutdown|\bSIG(?:TERM|QUIT|INT|KILL)\b|stop-supervisor|kill[-_]?supervisor/i;

/** For memmon of superlance, which restarts programs for their memory: the fields that do so. */
function adviseMemmon(command: string): string | null {
  if (!/(?:^|[\s/])memmon\b/.test(command)) return null;
  const found = [
    ...[...command.matchAll(/(?:^|\s)(?:-p|--program|-g|--group)[\s=]+([^\s=]+)=(\d+)\s*([KMG]?)B?/gi)],
    ...[...command.matchAll(/(?:^|\s)(?:-a|--any)[\s=]+()(\d+)\s*([KMG]?)B?/gi)],
  ];
  const sizes = found.map(([, program, number, unit = '']) => {
    const size = unit === '' ? `${number}B` : `${number}${unit.toUpperCase()}iB`;
    return `\`max_memory: ${size}\` in ${program || 'each service'}`;
  });
  return sizes.length === 0 ? 'write `max_memory: SIZE` in the services that it watches' : `write ${sizes.join(', ')}`;
}

/** Event listeners. Returns when one of them ends the container. */
function importListeners(
  sections: ReadonlyMap<string, IniSection>,
  draft: FileDraft,
  report: Report,
): ProgramContext['ends'] {
  let ends: ProgramContext['ends'] = null;
  for (const { name, keys, where } of sections.values()) {
    if (!name.startsWith('eventlistener:')) continue;
    const command = keys.get('command')?.value ?? '';
    const events = (keys.get('events')?.value ?? '').toUpperCase();
    for (const key of keys.values()) {
      if (!/^(?:command|events)$/.test(key.name))
        report.lost(key.where, `${key.name} of [${name}]`, 'the listener is not carried over');
    }
    const details = `${events} ${command}`;
    if (!KILLS.test(`${name} ${command}`) || !/PROCESS_STATE|\bEVENT\b/.test(events)) {
      const why = events.includes('PROCESS_LOG') ? 'output is always printed' : 'there are no event listeners';
      const usual = 'use `hooks`, or `svc-super events` outside of the container';
      report.lost(where, `[${name}] ${details}`, why, adviseMemmon(command) ?? usual);
      continue;
    }
    const isAny = /\b(?:EVENT|PROCESS_STATE(?:_EXITED|_STOPPED)?)\b/.test(events);
    ends = isAny || ends === 'any' ? 'any' : 'fatal';
    draft.top.exit = ends === 'any' ? 'first' : 'failure';
    const why = isAny
      ? 'it ends supervisord when a program ends: that is `exit: first`, the default here; the exit code is the program’s'
      : 'it ends supervisord when a program has failed permanently: that is `exit: failure`; the exit code is the program’s';
    report.changed(where, `[${name}] ${details}`, why);
  }
  return ends;
}

/** Sections that are about supervisord itself. Values, which may be passwords, are not shown. */
const OF_SUPERVISORD: Readonly<Record<string, string>> = {
  unix_http_server: 'svc-super has a control socket of its own: use `svc-super status`',
  inet_http_server: 'use `control: {http: {listen, token}}`',
  supervisorctl: 'use `svc-super status`, `restart`, `logs`',
  rpcinterface: 'use the HTTP API of svc-super',
  ctlplugin: 'use the HTTP API of svc-super',
};

function reportSections(sections: ReadonlyMap<string, IniSection>, report: Report): void {
  for (const { name, keys, where } of sections.values()) {
    const [kind = ''] = name.split(':', 1);
    if (['supervisord', 'include', 'program', 'group', 'eventlistener'].includes(kind)) continue;
    const names = [...keys.keys()];
    const what = `[${name}]${names.length > 0 ? ` (${names.join(', ')})` : ''}`;
    const instead = meaningOf(OF_SUPERVISORD, kind);
    if (kind === 'fcgi-program') {
      report.lost(
        where,
        what,
        'svc-super opens no FastCGI socket for a program',
        'let the program listen itself, as a service',
      );
    } else if (instead !== undefined) report.lost(where, what, 'it is about supervisord itself', instead);
    else report.lost(where, what, 'supervisord ignores this section');
  }
  const includes: Where | undefined = sections.get('include')?.where;
  for (const key of sections.get('include')?.keys.values() ?? []) {
    if (key.name !== 'files' && includes !== undefined)
      report.lost(key.where, key.name, 'supervisord ignores this key');
  }
}
