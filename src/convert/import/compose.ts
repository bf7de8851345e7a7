// Imports a Compose file: the services of several containers become services of one. `--image-config` describes what the
// images run. Settings of the container as a whole are reported as one `docker run` line.

import { adviseDockerStop, readGoDuration, toSeconds, writeStopTimeout } from '../quantities.ts';
import { type FileDraft, makeDraft } from '../services-yaml.ts';
import { meaningOf } from '../words.ts';
import { briefOf, entriesOf, Section, textOf, textsOf } from '../yaml-source.ts';
import { markTasks } from './compose-depends.ts';
import { type ComposeEntry, readComposeFiles } from './compose-files.ts';
import { shareGpus } from './compose-gpus.ts';
import { readImages } from './compose-image.ts';
import { publishPorts } from './compose-outside.ts';
import { type ComposeContext, ComposeReader, DockerRun } from './compose-reader.ts';
import { importService } from './compose-service.ts';
import { readComposeText } from './compose-text.ts';
import { Names } from './names.ts';
import { type Imported, type ImportInput, Report } from './source.ts';

const TOP_LOST: Readonly<Record<string, readonly [why: string, instead: string | null]>> = {
  name: ['the name is that of the file that is imported', null],
  version: ['Compose ignores it too', null],
  volumes: ['volumes are mounted into the container', 'see the `docker run` line at the end'],
  networks: ['all services are on 127.0.0.1', null],
  secrets: ['files are mounted into the container', 'see the `docker run` line at the end'],
  configs: ['files are mounted into the container', 'see the `docker run` line at the end'],
};

/** Docker's time from the stop signal to SIGKILL, milliseconds. */
const USUAL_GRACE = 10_000;
/** Default of `stop_timeout`, milliseconds. */
const USUAL_STOP = 9_000;

/** Imports a file. Fails where it is no Compose file, or has no services. */
export function importCompose(input: ImportInput): Imported {
  const images = readImages(input.imageConfigs);
  if (!images.ok) return images;
  const report = new Report();
  const read = readComposeFiles(input, report);
  if (!read.ok) return read;
  const { services, top, included } = read.value;
  if (services.length === 0) return { ok: false, where: null, message: 'there are no services in it' };
  const names = new Names();
  const holders = services.filter(({ key, section }) => holdsNetwork(key, section, services));
  const kept = services.filter((one) => !holders.includes(one));
  const context: ComposeContext = {
    report,
    images: images.images,
    names: new Map(kept.map(({ key, section }) => [key, names.take(key, report, section.where())])),
    holders: new Set(holders.map(({ key }) => key)),
    gpuUsers: [],
    mounted: filesOf(top),
    dockerRun: new DockerRun((path) => input.read(path)),
  };
  const draft = makeDraft();
  for (const { key, section } of holders) {
    const where = section.where();
    report.lost(where, `service ${key}`, 'it only keeps a network for the others, which one container has anyway');
    publishPorts(new ComposeReader(key, section, context));
  }
  draft.services = kept.map(({ key, section }) =>
    importService(new ComposeReader(key, section, context), context.names.get(key) ?? key),
  );
  shareGpus(context);
  markTasks(draft.services, report);
  importTop(top, draft, report);
  for (const one of [top, ...included]) reportRest(one, report);
  importStopTimeout(
    services.map(({ section }) => section),
    draft,
    report,
  );
  context.dockerRun.report(report);
  return { ok: true, draft, findings: report.findings };
}

/** The files that the top level gives for secrets and configs. */
function filesOf(top: Section): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const key of ['secrets', 'configs']) {
    for (const { key: name, node } of entriesOf(top.peek(key))) {
      const file = node.kind === 'map' ? textOf(new Section(node, top.source).peek('file')) : undefined;
      if (file !== undefined) found.set(`${key}.${name}`, /^[./~]/.test(file) ? file : `./${file}`);
    }
  }
  return found;
}

/** Whether a service only idles, while others use its network. */
function holdsNetwork(key: string, section: Section, all: readonly ComposeEntry[]): boolean {
  const words = [...textsOf(section.peek('entrypoint')), ...textsOf(section.peek('command'))].join(' ');
  const isShared = all.some((one) => textOf(one.section.peek('network_mode')) === `service:${key}`);
  return isShared && /^(?:sleep infinity|tail -f \/dev\/null|pause)$/.test(words);
}

function importTop(top: Section, draft: FileDraft, report: Report): void {
  const name = top.text('name');
  if (name !== undefined) draft.top.name = nameOf(name);
  draft.top.exit = 'all';
  report.changed(
    null,
    'the end of a service',
    'a container that ends does not end the others, so `exit: all` is written: svc-super ends when all services have ended',
    'most containers should end when a service fails: write `exit: failure` or `exit: first`',
  );
  if (draft.services.length > 1) draft.top.hosts = true;
}

/** The name with its variables; if it would be empty without them, with their names in their place. */
function nameOf(name: string): string {
  const read = readComposeText(name);
  if (read.ok && read.value.bare !== '') return read.value.text;
  return name.replaceAll(/\$(?:\{(\w+)[^}]*\}|(\w+))/g, (_, inBraces = '', alone = '') => inBraces + alone);
}

/** Reports the keys of the top level of a file that have not been read. */
function reportRest(top: Section, report: Report): void {
  for (const { key, node } of top.rest()) {
    const known = meaningOf(TOP_LOST, key);
    const [why, instead] = known ?? [key.startsWith('x-') ? 'it is an extension' : 'Compose has no such key'];
    if (node.kind !== 'map' || known === undefined)
      report.lost(top.where(key), `${key}: ${briefOf(node)}`, why, instead);
    else {
      const section = new Section(node, top.source);
      for (const one of entriesOf(node))
        report.lost(section.where(one.key), `${key}.${one.key}: ${briefOf(one.node)}`, why, instead);
    }
  }
}

/** One deadline for all services, which the longest grace period determines. */
function importStopTimeout(sections: readonly Section[], draft: FileDraft, report: Report): void {
  const periods = sections.map((section) => readGoDuration(textOf(section.peek('stop_grace_period')) ?? ''));
  const longest = Math.max(...periods.map((one) => one ?? USUAL_GRACE));
  if (longest <= USUAL_STOP || periods.every((one) => one === null)) return;
  const seconds = toSeconds(longest);
  draft.top.stop_timeout = writeStopTimeout(seconds);
  report.changed(
    null,
    'stop_grace_period',
    'the whole shutdown has one deadline, `stop_timeout`, for all services',
    adviseDockerStop(seconds),
  );
}
