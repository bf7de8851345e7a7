// Health checks of Compose and of images as `ready` probes. Docker restarts no unhealthy container, so nothing here becomes
// `live`. https://github.com/compose-spec/compose-spec/blob/main/05-services.md#healthcheck
import { readGoDuration, writeDuration } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { literal } from '../words.ts';
import { itemsOf, type Section, switchOf, textOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { type CommandProbe, isLocal, probeOfText, probeOfWords, probeValue } from './command-probe.ts';
import type { ImageHealthcheck } from './compose-image.ts';
import type { ComposeReader } from './compose-reader.ts';

const DEFAULT_INTERVAL = 30_000;
const DEFAULT_TIMEOUT = 30_000;
const DEFAULT_RETRIES = 3;
/** Defaults of svc-super's probes, milliseconds: these values need not be written. */
const USUAL_TIMEOUT = 5_000;
const USUAL_INTERVAL = 10_000;

/** Durations in milliseconds, above 0; null: not given. */
interface Timing {
  readonly interval: number | null;
  readonly timeout: number | null;
  readonly startPeriod: number | null;
  readonly startInterval: number | null;
  readonly retries: number | null;
}

/** Writes `ready` and `start_timeout` from the service's own health check, else from that of its image. */
export function importHealthcheck(reader: ComposeReader, service: ServiceDraft): void {
  const { section, report, image } = reader;
  const own = section.section('healthcheck');
  if (!section.has('healthcheck')) {
    if (image?.healthcheck) fromImage(reader, service, image.healthcheck);
    return;
  }
  const test = own.take('test');
  const isOff =
    switchOf(own.take('disable')) === true || (itemsOf(test).length > 0 && textOf(itemsOf(test)[0]) === 'NONE');
  const durations = ['interval', 'timeout', 'start_period', 'start_interval'].map((key) => readTime(reader, own, key));
  const [interval = null, timeout = null, startPeriod = null, startInterval = null] = durations;
  const retries = Number(reader.textAt(own.take('retries'), 'variables-unset') ?? 0);
  for (const { key } of own.rest())
    report.lost(own.where(key), `healthcheck.${key} of ${service.name}`, 'Compose has no such key');
  if (isOff) {
    report.lost(own.where(), `healthcheck of ${service.name}`, 'it is switched off: nothing has to be written');
    return;
  }
  const timing = {
    interval,
    timeout,
    startPeriod,
    startInterval,
    retries: Number.isInteger(retries) && retries > 0 ? retries : null,
  };
  if (test === undefined) {
    if (image?.healthcheck) fromImage(reader, service, { ...image.healthcheck, ...given(timing) });
    else
      report.look(own.where(), `healthcheck of ${service.name}`, 'its test is in the image', 'give `--image-config`');
    return;
  }
  // Docker takes what is not given from the image, whose command is not used.
  writeProbe(reader, service, probeOf(reader, test, service), { ...timing, ...image?.healthcheck, ...given(timing) });
}

function given(timing: Timing): Partial<Timing> {
  return Object.fromEntries(Object.entries(timing).filter(([, value]) => value !== null));
}

/** null: the value of the image, else the default; for Docker, that is what 0 means. */
function readTime(reader: ComposeReader, section: Section, key: string): number | null {
  const text = reader.textAt(section.take(key), 'variables-unset');
  if (text === null || text === '') return null;
  const millis = readGoDuration(text);
  if (millis === null)
    reader.report.look(
      section.where(key),
      key,
      `Compose refuses ${text}: it is not a duration like 1m30s`,
      'it is left out',
    );
  return millis === 0 ? null : millis;
}

function fromImage(reader: ComposeReader, service: ServiceDraft, check: ImageHealthcheck): void {
  const [kind, ...words] = check.test;
  if (kind === 'NONE' || kind === undefined || words.length === 0) return;
  const found = kind === 'CMD-SHELL' ? probeOfText(words.join(' ')) : probeOfWords(words);
  const command: Value = kind === 'CMD-SHELL' ? words.join(' ') : words.map((word) => literal(word));
  const probe = withoutProgram(reader, service, words.join(' '), local(reader, found));
  writeProbe(reader, service, probe ?? { exec: command }, check);
}

/** The probe if it asks this container, in the form of `ready`. */
function local(reader: ComposeReader, found: CommandProbe | null): Record<string, Value> | null {
  if (found === null || !isLocal(found.host, reader.hosts)) return null;
  return { ...(probeValue(found, reader.ports[0] ?? null) as Record<string, Value>) };
}

/** The probe in place of a command, which is reported; null where the command is no such question. */
function withoutProgram(
  reader: ComposeReader,
  service: ServiceDraft,
  text: string,
  probe: Record<string, Value> | null,
): Record<string, Value> | null {
  if (probe === null) return null;
  const what = `healthcheck of ${service.name}: ${text}`;
  const why = 'svc-super sends the request itself, so the program is not needed; a status from 200 to 399 is a success';
  reader.report.changed(reader.section.where('healthcheck'), what, why);
  return probe;
}

function probeOf(
  reader: ComposeReader,
  test: ReturnType<Section['take']>,
  service: ServiceDraft,
): Record<string, Value> {
  const items = itemsOf(test);
  const [first, ...rest] = items;
  const kind = test?.kind === 'list' ? textOf(first) : 'CMD-SHELL';
  const nodes = test?.kind === 'list' ? rest : items;
  if (kind === 'CMD-SHELL') {
    const text = nodes.map((node) => reader.textAt(node, 'variables-for-shell') ?? '').join(' ');
    if (text.trim() === '') return { exec: 'true' };
    return withoutProgram(reader, service, text, local(reader, probeOfText(text))) ?? { exec: text };
  }
  const words = nodes.map((node) => reader.textAt(node, 'variables-kept') ?? '');
  if (kind !== 'CMD' || words.length === 0 || words[0] === '') {
    reader.report.look(
      reader.section.where('healthcheck'),
      `healthcheck of ${service.name}`,
      'Compose refuses a test that begins with neither CMD nor CMD-SHELL',
      'write a `ready` probe',
    );
    return { exec: 'true' };
  }
  return withoutProgram(reader, service, words.join(' '), local(reader, probeOfWords(words))) ?? { exec: words };
}

function writeProbe(reader: ComposeReader, service: ServiceDraft, probe: Record<string, Value>, timing: Timing): void {
  const interval = timing.interval ?? DEFAULT_INTERVAL;
  const timeout = timing.timeout ?? DEFAULT_TIMEOUT;
  service.fields.ready = {
    ...probe,
    ...(timeout !== USUAL_TIMEOUT && { timeout: writeDuration(timeout) }),
    ...(interval !== USUAL_INTERVAL && { interval: writeDuration(interval) }),
    ...(timing.startInterval !== null && { start_interval: writeDuration(timing.startInterval) }),
    continuous: true,
  };
  const retries = timing.retries ?? DEFAULT_RETRIES;
  const patience = (timing.startPeriod ?? 0) + retries * interval;
  service.fields.start_timeout = writeDuration(patience);
  reader.report.once(
    'healthcheck',
    reader.section.where('healthcheck'),
    `healthcheck of ${service.name}`,
    'a service that is not ready within `start_timeout` (start_period and retries times interval) fails, while Docker only calls it unhealthy',
    'raise `start_timeout` where a first start takes longer',
  );
  if (typeof service.fields.ready === 'object' && 'exec' in probe) {
    reader.report.once(
      'healthcheck exec',
      reader.section.where('healthcheck'),
      `healthcheck of ${service.name}`,
      'its program has to be in the one image',
      'use an `http` or `tcp` probe where that is enough',
    );
  }
}
