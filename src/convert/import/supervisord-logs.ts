// Log files of a program of supervisord.conf as `log` of a service. Knows that svc-super always prints a service's output,
// writes both streams into one file, and keeps them apart on its own standard output and error.

import { writeSize } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import type { ProgramReader } from './supervisord-program.ts';
import { readInteger, readSize } from './supervisord-values.ts';

/** Files that are the output of the container. */
const CONSOLE = /^\/(?:dev\/(?:stdout|stderr|fd\/[12]|tty|console)|proc\/(?:1|self)\/fd\/[12])$/;
const NONE = /^(?:none|off|\/dev\/null)$/i;
const DEFAULT_BYTES = 50 * 2 ** 20;
const DEFAULT_BACKUPS = 10;
/** The number of a copy. */
const NUMBER = `\${SVC_REPLICA}`;

type Target =
  | { readonly kind: 'console' | 'none' | 'auto' | 'syslog' }
  | { readonly kind: 'file'; readonly path: string };

function targetOf(reader: ProgramReader, key: string): Target {
  const path = reader.expand(key)?.text.trim() ?? 'AUTO';
  if (path.toLowerCase() === 'auto' || path === '') return { kind: 'auto' };
  if (path.toLowerCase() === 'syslog') return { kind: 'syslog' };
  if (CONSOLE.test(path)) return { kind: 'console' };
  return NONE.test(path) ? { kind: 'none' } : { kind: 'file', path };
}

/** Writes `log` of a service. `hasCopies`: its file needs the number of the copy. */
export function importLogs(reader: ProgramReader, fields: ServiceDraft['fields'], hasCopies: boolean): void {
  const out = targetOf(reader, 'stdout_logfile');
  const redirected = reader.boolean('redirect_stderr') === true;
  const err = redirected ? out : targetOf(reader, 'stderr_logfile');
  if (redirected) {
    const why = 'the two streams are printed on standard output and standard error; a log file gets both';
    reader.context.report.once('redirect', reader.where('redirect_stderr'), 'redirect_stderr', why);
    if (reader.key('stderr_logfile') !== undefined)
      reader.note('lost', 'stderr_logfile', 'redirect_stderr overrides it');
  }
  if (out.kind === 'none' && err.kind === 'none') {
    fields.log = { drop: '.*' };
    reportRotation(reader, ['stdout', 'stderr'], 'it has no log file');
    return;
  }
  const file = out.kind === 'file' ? out : err.kind === 'file' ? err : null;
  const stream = out.kind === 'file' ? 'stdout' : 'stderr';
  if (file !== null) {
    const path = hasCopies && !file.path.includes(NUMBER) ? `${file.path}.${NUMBER}` : file.path;
    fields.log = { file: { path, ...rotationOf(reader, stream) } };
    if (path !== file.path) reader.note('changed', `${stream}_logfile`, 'each copy has a file of its own');
    const why = 'the output is also printed by svc-super, and the file gets both streams';
    reader.context.report.once('logfile', reader.where(`${stream}_logfile`), `${stream}_logfile`, why);
  }
  reportOther(reader, out, err, redirected);
  reportRotation(
    reader,
    file === null ? ['stdout', 'stderr'] : [stream === 'stdout' ? 'stderr' : 'stdout'],
    'it has no log file',
  );
}

function reportOther(reader: ProgramReader, out: Target, err: Target, redirected: boolean): void {
  if (out.kind === 'file' && err.kind === 'file' && err.path !== out.path) {
    reader.note('lost', 'stderr_logfile', 'a service has one log file, which gets both streams');
  }
  for (const [stream, target] of [
    ['stdout', out],
    ['stderr', err],
  ] as const) {
    const key = `${stream}_logfile`;
    if (redirected && stream === 'stderr') continue;
    if (target.kind === 'none')
      reader.note('changed', key, 'this stream is printed', 'drop lines of it with `log.drop`');
    if (target.kind === 'auto') reader.note('changed', key, 'this stream is printed, not kept in a temporary file');
    if (target.kind === 'syslog') {
      reader.note('lost', key, 'output is not sent to syslog', 'let the container runtime do that');
    }
  }
}

function rotationOf(reader: ProgramReader, stream: string): { readonly max_size: string; readonly keep: number } {
  const given = reader.expand(`${stream}_logfile_maxbytes`);
  const bytes = given === null ? DEFAULT_BYTES : readSize(given.text);
  const backups = reader.expand(`${stream}_logfile_backups`);
  const keep = Math.min(1000, backups === null ? DEFAULT_BACKUPS : (readInteger(backups.text) ?? DEFAULT_BACKUPS));
  if (bytes === null)
    reader.note('look', `${stream}_logfile_maxbytes`, 'supervisord refuses it', 'the default is used');
  if (bytes === 0) {
    reader.note('changed', `${stream}_logfile_maxbytes`, 'a log file is always rotated', 'it is rotated at 1 GiB');
    return { max_size: '1GiB', keep: 1 };
  }
  return { max_size: writeSize(bytes ?? DEFAULT_BYTES), keep: Math.max(0, keep) };
}

/** Sizes and numbers of files that are not written. */
function reportRotation(reader: ProgramReader, streams: readonly string[], why: string): void {
  for (const stream of streams) {
    for (const key of [`${stream}_logfile_maxbytes`, `${stream}_logfile_backups`]) {
      if (reader.key(key) !== undefined) reader.note('lost', key, why);
    }
  }
}
