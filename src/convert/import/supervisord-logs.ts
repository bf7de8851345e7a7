// Log files of a program of supervisord.conf as `log` of a service. Knows that svc-super always prints a service's output, and
// keeps the two streams apart on its own standard output and error.

import { writeSize } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import type { ProgramReader } from './supervisord-reader.ts';
import { readSize } from './supervisord-values.ts';

/** Files that are the output of the container. */
const CONSOLE = /^\/(?:dev\/(?:stdout|stderr|fd\/[12]|tty|console)|proc\/(?:1|self)\/fd\/[12])$/;
const NONE = /^(?:none|off|\/dev\/null)$/i;
const DEFAULT_BYTES = 50 * 2 ** 20;
const DEFAULT_BACKUPS = 10;
/** The largest `keep`. */
const KEEP_MOST = 1000;
/** The number of a copy. */
const NUMBER = `\${SVC_REPLICA}`;

type LogFileDraft = Readonly<Record<'path' | 'max_size', string>> & { readonly keep: number };

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

/** Writes `log` of a service. `hasCopies`: its files need the number of the copy. */
export function importLogs(reader: ProgramReader, fields: ServiceDraft['fields'], hasCopies: boolean): void {
  const out = targetOf(reader, 'stdout_logfile');
  const isRedirected = reader.boolean('redirect_stderr') === true;
  const err = isRedirected ? out : targetOf(reader, 'stderr_logfile');
  if (isRedirected) reportRedirection(reader);
  if (out.kind === 'none' && err.kind === 'none') {
    fields.log = { drop: '.*' };
    reportRotation(reader, ['stdout', 'stderr'], 'it has no log file');
    return;
  }
  const file = out.kind === 'file' ? fileOf(reader, 'stdout', out.path, hasCopies) : null;
  // Without a file of its own, standard error goes to the file of standard output.
  const hasOwn = err.kind === 'file' && (out.kind !== 'file' || err.path !== out.path);
  const stderrFile = hasOwn ? fileOf(reader, 'stderr', err.path, hasCopies) : null;
  if (file !== null || stderrFile !== null)
    fields.log = { ...(file !== null && { file }), ...(stderrFile !== null && { stderr_file: stderrFile }) };
  reportPrinted(reader, file, stderrFile, err);
  reportOther(reader, out, err, isRedirected);
  const without = [...(file === null ? ['stdout'] : []), ...(stderrFile === null ? ['stderr'] : [])];
  const hasFile = without.length < 2;
  reportRotation(reader, without, hasFile ? 'it has no log file of its own' : 'it has no log file');
}

function reportRedirection(reader: ProgramReader): void {
  const why = 'the two streams are printed on standard output and standard error; a log file gets both';
  reader.context.report.once('redirect', reader.where('redirect_stderr'), 'redirect_stderr', why);
  if (reader.key('stderr_logfile') !== undefined) reader.note('lost', 'stderr_logfile', 'redirect_stderr overrides it');
}

function fileOf(reader: ProgramReader, stream: 'stdout' | 'stderr', given: string, hasCopies: boolean): LogFileDraft {
  const path = hasCopies && !given.includes(NUMBER) ? `${given}.${NUMBER}` : given;
  if (path !== given) reader.note('changed', `${stream}_logfile`, 'each copy has a file of its own');
  return { path, ...rotationOf(reader, stream) };
}

/** Reports once that output is also printed, besides the files. */
function reportPrinted(
  reader: ProgramReader,
  file: LogFileDraft | null,
  stderrFile: LogFileDraft | null,
  err: Target,
): void {
  const { report } = reader.context;
  const key = file === null ? 'stderr_logfile' : 'stdout_logfile';
  const where = reader.where(key);
  if (file !== null && stderrFile === null && err.kind !== 'file')
    report.once('logfile-both', where, key, 'the output is also printed by svc-super, and the file gets both streams');
  else if (file !== null || stderrFile !== null)
    report.once('logfile', where, key, 'the output is also printed by svc-super');
}

function reportOther(reader: ProgramReader, out: Target, err: Target, isRedirected: boolean): void {
  for (const [stream, target] of [
    ['stdout', out],
    ['stderr', err],
  ] as const) {
    const key = `${stream}_logfile`;
    if (isRedirected && stream === 'stderr') continue;
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
  const backups = reader.number(`${stream}_logfile_backups`) ?? DEFAULT_BACKUPS;
  const keep = Math.min(KEEP_MOST, backups);
  if (keep < backups) reader.note('changed', `${stream}_logfile_backups`, `at most ${KEEP_MOST} old files are kept`);
  if (bytes === null)
    reader.note('look', `${stream}_logfile_maxbytes`, 'supervisord rejects it', 'the default is used');
  if (bytes === 0) {
    reader.note('changed', `${stream}_logfile_maxbytes`, 'a log file is always rotated', 'it is rotated at 1 GiB');
    return { max_size: '1GiB', keep: 1 };
  }
  return { max_size: writeSize(bytes ?? DEFAULT_BYTES), keep: Math.max(0, keep) };
}

/** Reports the size and the number of backups of a log file that does not exist. */
function reportRotation(reader: ProgramReader, streams: readonly string[], why: string): void {
  for (const stream of streams) {
    for (const key of [`${stream}_logfile_maxbytes`, `${stream}_logfile_backups`]) {
      if (reader.key(key) !== undefined) reader.note('lost', key, why);
    }
  }
}
