// One definition of s6-rc.d or services.d as a service or a task. Files of a definition:
// https://skarnet.org/software/s6/servicedir.html, https://skarnet.org/software/s6-rc/s6-rc-compile.html
import { formatDuration } from '../../config/quantity.ts';
import { startOf } from '../findings.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { meaningOf } from '../words.ts';
import type { Value } from '../yaml-values.ts';
import { endsContainer, execlineCommand, execlineScript, type S6Command, scriptCommand } from './s6-script.ts';
import { pathHere, type S6Definition } from './s6-tree.ts';
import { type ImportInput, placeComment, type Report } from './source.ts';

/** Files that have no counterpart, and why. */
const LOST: Readonly<Record<string, string>> = {
  down: 'svc-super runs nothing of a task at the stop',
  nosetsid: 'each service has a session of its own',
  'timeout-down': 'it limits `down`, which is not carried over',
  'timeout-finish': 'the deadline of a hook is its `timeout`',
  'producer-for': 'the output is printed',
  'lock-fd': 'there is no lock',
  'max-death-tally': 's6 restarts a service any number of times; this is how many of its ends s6 remembers',
  'flag-essential': '`s6-rc stop` is not used: a container ends when its services do',
};

/** Files that are read elsewhere. */
const READ =
  /^(?:run|up|type|finish|dependencies|dependencies\.d\/|contents|contents\.d\/|consumer-for|pipeline-name|log\/|notification-fd|timeout-up|timeout-kill|down-signal)$/;

/** One definition and what there is around it. */
export interface S6Reader {
  readonly input: ImportInput;
  readonly report: Report;
  readonly definition: S6Definition;
}

/** The text of a file of the definition without its last newline; null: there is none. */
export function fileOf({ input, definition }: Pick<S6Reader, 'input' | 'definition'>, name: string): string | null {
  if (!definition.entries.includes(name)) return null;
  return input.read(`${definition.path}/${name}`)?.replace(/\n+$/, '') ?? null;
}

/** Makes a service of a longrun. */
export function importLongrun(reader: S6Reader, name: string): ServiceDraft {
  const { definition, report } = reader;
  const path = `${definition.path}/run`;
  const text = fileOf(reader, 'run');
  const service = makeService(name, path);
  if (text === null) {
    service.todo.push('there is no `run` file: give the command');
    service.fields.command = ['false'];
    report.look(startOf(definition.path), name, 'it has no `run` file that can be read');
  } else writeCommand(service, scriptCommand(text, `${definition.inside}/run`), path, report);
  importFinish(reader, service);
  const { fields } = service;
  const fd = fileOf(reader, 'notification-fd');
  if (fd !== null && /^\d+$/.test(fd) && Number(fd) >= 3 && Number(fd) <= 255)
    fields.ready = { notify: { fd: Number(fd) } };
  else if (fd !== null)
    report.look(
      startOf(`${definition.path}/notification-fd`),
      `notification-fd of ${name}`,
      'it is not a number from 3 to 255',
      'it is left out',
    );
  importTimes(reader, service);
  if (definition.kind === 'legacy' && definition.entries.includes('down')) fields.start = 'manual';
  if (/^[^#\n]*\bsleep infinity/m.test(text ?? '')) {
    report.look(
      startOf(path),
      `sleep infinity in run of ${name}`,
      'a service that is switched off idles',
      'use `enabled` with a variable',
    );
  }
  reportFiles(reader, name);
  return service;
}

function makeService(name: string, path: string): ServiceDraft {
  return { name, comments: [placeComment(startOf(path))], todo: [], fields: {} };
}

function writeCommand(service: ServiceDraft, found: S6Command, path: string, report: Report): void {
  const { fields } = service;
  fields.command = found.command;
  if (found.user !== null) {
    fields.user = found.user;
    report.once(
      'user',
      startOf(path),
      `s6-setuidgid of ${service.name}`,
      'it is `user`, which also sets HOME, USER and LOGNAME',
    );
  }
  if (found.cwd !== null) fields.cwd = found.cwd;
  if (Object.keys(found.env).length > 0) fields.env = { ...found.env };
  if (found.note !== null) report.look(startOf(path), path, found.note);
}

/** s6 restarts a longrun for ever, at most once a second, unless `finish` ends the container. */
function importFinish(reader: S6Reader, service: ServiceDraft): void {
  const { definition, report } = reader;
  const path = `${definition.path}/finish`;
  const text = fileOf(reader, 'finish');
  if (text !== null && endsContainer(text)) {
    report.changed(
      startOf(path),
      `finish of ${service.name}`,
      'it ends the container; the end of an essential service does the same, with its exit code',
    );
    return;
  }
  service.fields.restart = { policy: 'always', backoff: { initial: '1s', max: '1s' } };
  service.fields.essential = false;
  report.once(
    'essential',
    startOf(definition.path),
    'the end of a service',
    's6 restarts it for ever and never ends the container because of it, so `essential: false` is written',
    'most containers should end when a service fails permanently: write `restart: {max: 5}` and remove `essential: false`',
  );
  if (text === null) return;
  service.fields.hooks = { after_exit: scriptCommand(text, `${definition.inside}/finish`).command };
  report.changed(
    startOf(path),
    `finish of ${service.name}`,
    'it is a hook, which has SVC_EXIT_CODE and SVC_EXIT_SIGNAL in place of the arguments `$1` and `$2`',
    'use these variables in it',
  );
}

/** The field that limits the time all the same where one of these files has 0, which is no limit in s6. */
const LIMITS = { 'timeout-up': 'start_timeout', 'timeout-kill': 'stop_timeout' } as const;

/** Files with milliseconds, and the stop signal. */
function importTimes(reader: S6Reader, { fields, name }: ServiceDraft): void {
  const { report, definition } = reader;
  const millis = (file: keyof typeof LIMITS): string | null => {
    const text = fileOf(reader, file);
    if (text === null) return null;
    if (text === '0') {
      const why = `0 is no limit in s6; here \`${LIMITS[file]}\` limits it`;
      report.changed(
        startOf(`${definition.path}/${file}`),
        `${file} of ${name}`,
        why,
        'raise it where that is too short',
      );
      return null;
    }
    if (/^\d{1,9}$/.test(text)) return formatDuration(Number(text));
    report.look(
      startOf(`${definition.path}/${file}`),
      `${file} of ${name}`,
      'it is not a number of milliseconds',
      'it is left out',
    );
    return null;
  };
  const up = millis('timeout-up');
  if (up !== null) fields.start_timeout = up;
  const kill = millis('timeout-kill');
  const signal = fileOf(reader, 'down-signal')?.replace(/^SIG/, '') ?? null;
  const stop: Record<string, Value> = {
    ...(signal !== null && signal !== 'TERM' && { signal: /^\d+$/.test(signal) ? Number(signal) : signal }),
    ...(kill !== null && { timeout: kill }),
  };
  if (Object.keys(stop).length > 0) fields.stop = stop;
}

/** Makes a task of a oneshot: `up` is a line of execline, most often the path of a script. */
export function importOneshot(reader: S6Reader, name: string): ServiceDraft {
  const { input, definition, report } = reader;
  const path = `${definition.path}/up`;
  const text = fileOf(reader, 'up');
  const service = makeService(name, path);
  service.fields.type = 'task';
  if (text === null) {
    service.fields.command = ['true'];
    report.look(startOf(definition.path), name, 'it has no `up` file that can be read', 'it does nothing');
  } else {
    const found = execlineCommand(text);
    const words = Array.isArray(found?.command) ? (found?.command as readonly Value[]) : [];
    const script = words.length === 1 && typeof words[0] === 'string' ? words[0] : null;
    const here = script === null ? null : pathHere(definition, script);
    const inner = here === null ? null : input.read(here);
    if (script !== null && inner !== null) {
      const command = scriptCommand(inner, script);
      service.comments = [placeComment(startOf(here ?? path))];
      writeCommand(service, command, here ?? path, report);
    } else writeCommand(service, found ?? execlineScript(['execlineb', '-c', text]), path, report);
  }
  importTimes(reader, service);
  reportFiles(reader, name);
  return service;
}

/** Reports the files of a definition that nothing stands for. */
export function reportFiles({ definition, report }: S6Reader, name: string): void {
  for (const entry of definition.entries) {
    const where = startOf(`${definition.path}/${entry}`);
    const isOfLongrun = !definition.entries.includes('up');
    const why =
      entry === 'down' && isOfLongrun ? 'the bundles decide what s6-rc starts, not this file' : meaningOf(LOST, entry);
    const what = `${entry} of ${name}`;
    if (why !== undefined) {
      if (entry !== 'down' || definition.kind !== 'legacy') report.lost(where, what, why);
    } else if (!READ.test(entry) && !entry.startsWith('.'))
      report.lost(where, what, 'svc-super reads no such file', 'the scripts may still need it in the image');
  }
}
