// Imports a Procfile as honcho 2 and foreman read it (the same regular expression:
// https://github.com/nickstenning/honcho/blob/main/honcho/environ.py): `name: command`, a shell text; the first process that
// ends ends all of them, as with the default of `exit`. A `.env` beside it is read by both. Reads no file but through its input.
import { dirname, join } from '../../paths.ts';
import { makeDraft, type ServiceDraft } from '../services-yaml.ts';
import { sourceLines, sourceOf, whereIn } from '../source-text.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, placeComment, Report } from './source.ts';

/** honcho's pattern of an entry. */
const ENTRY = /^([A-Za-z0-9_-]+):\s*(.+)$/;
/** honcho and foreman give the first process this port, and each further one 100 more. */
const FIRST_PORT = 5000;
const PORT_STEP = 100;
const LAST_PORT = 65535;

/** Imports a Procfile. Fails on a name that is there twice (honcho refuses it), and on a file without entries. */
export function importProcfile(input: ImportInput): Imported {
  const report = new Report();
  const source = sourceOf(input);
  const draft = makeDraft();
  const names = new Names();
  const seen = new Set<string>();
  let position = -1;
  for (const { text, start } of sourceLines(source)) {
    const where = whereIn(source, { start });
    const line = text.replace(/\r$/, '');
    const [, name = '', command = ''] = ENTRY.exec(line) ?? [];
    if (name === '') {
      explainIgnored(line, report, where);
      continue;
    }
    if (seen.has(name)) return { ok: false, where, message: `two processes are called ${name}` };
    seen.add(name);
    if (command.trim() === '') {
      report.look(where, line, 'its command is empty, so it ends at once', 'give the command');
      continue;
    }
    position += 1;
    const service: ServiceDraft = {
      name: names.take(name, report, where),
      comments: [placeComment(where)],
      todo: [],
      fields: { command },
    };
    draft.services.push(service);
    givePort(service, FIRST_PORT + position * PORT_STEP, report, where);
    explainCommand(name, command, report, where);
  }
  if (draft.services.length === 0) return { ok: false, where: null, message: 'there is no line `name: command` in it' };
  makeReleaseTask(draft.services, report);
  const envFile = join(dirname(input.path), '.env');
  if (input.read(envFile) !== null) {
    draft.top.env_file = [{ path: '.env', required: false }];
    report.look(
      null,
      envFile,
      'it is read at each start of a service, relative to the folder of services.yaml',
      'copy it into the image',
    );
  }
  return { ok: true, draft, findings: report.findings };
}

/** `PORT` is exported to services that have a port: `web`, as on Heroku, and those whose command uses it. */
function givePort(
  { name, fields }: ServiceDraft,
  port: number,
  report: Report,
  where: ReturnType<typeof whereIn>,
): void {
  if (port > LAST_PORT) return;
  if (name === 'web' || /\$\{?PORT\b/.test(`${fields.command}`)) fields.port = port;
  else if (name !== 'release')
    report.once(
      'PORT',
      where,
      `PORT of ${name}`,
      'honcho and foreman set it for every process; here `web` has it, and each service whose command uses `$PORT`',
      'write `port` in a service whose program reads PORT from its environment',
    );
}

function explainIgnored(line: string, report: Report, where: ReturnType<typeof whereIn>): void {
  if (line.trim() === '') return;
  if (/^\s*#/.test(line)) {
    if (ENTRY.test(line.replace(/^[\s#]+/, ''))) report.lost(where, line, 'it is commented out');
    return;
  }
  const why = 'no Procfile reader takes this line for `name: command`';
  report.lost(where, line, why, 'write a name of letters, digits, `_` and `-`, a colon and a command on one line');
}

/** The text between two `&&`; one in quotes is a part of a word. */
const STEP = /(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|(?!&&|(?<=&)&).)+/g;
/** A step that only prepares the shell for the next one: no task could do that. */
const SETS_UP = /^(?:(?:cd|export|source|set|umask|ulimit|\.)\s|[A-Za-z_]\w*=\S*$)/;

function explainCommand(name: string, command: string, report: Report, where: ReturnType<typeof whereIn>): void {
  const steps = (command.match(STEP) ?? []).map((step) => step.trim());
  const before = steps.slice(0, -1);
  if (before.some((step) => !SETS_UP.test(step))) {
    report.look(
      where,
      `${name}: ${before.join(' && ')} && …`,
      'it runs before every start of the service',
      'make it a task of its own',
    );
  }
}

/** `release` runs once before the others. */
function makeReleaseTask(services: readonly ServiceDraft[], report: Report): void {
  const release = services.find(({ name }) => name === 'release');
  if (release === undefined) return;
  const others = services.filter((service) => service !== release);
  if (others.length === 0) return;
  release.fields.type = 'task';
  for (const { fields } of others) fields.depends_on = ['release'];
  report.changed(
    null,
    'release',
    'Heroku runs it once for each release; here it runs before each start of the container',
    'make it safe to run again',
  );
}
