// `environment` and `env_file` of a Compose service, and the variables of its image.
import type { Node } from '../../config/tree.ts';
import { dirname, isAbsolute, join } from '../../paths.ts';
import { RESERVED } from '../../plan/env-files.ts';
import { readPort } from '../quantities.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { literal } from '../words.ts';
import { briefOf, entriesOf, itemsOf, Section, switchOf, textOf } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { variablesOf } from './compose-image.ts';
import type { ComposeReader } from './compose-reader.ts';

/** Writes `env` and `env_file`. */
export function importEnvironment(reader: ComposeReader, fields: ServiceDraft['fields']): void {
  const { section, report } = reader;
  const files = readFiles(reader);
  const env = imageVariables(reader, files);
  const node = section.take('environment');
  const pairs = node?.kind === 'map' ? entriesOf(node).map((one) => [one.key, one.node] as const) : listPairs(node);
  for (const [name, value] of pairs) {
    const text =
      typeof value === 'string'
        ? reader.textAt(scalar(value, node), 'variables-kept')
        : reader.textAt(value, 'variables-kept');
    if (RESERVED.has(name))
      report.lost(section.where('environment'), `${name} of ${reader.key}`, 'svc-super sets this variable itself');
    else if (name === '' || name.includes('='))
      report.look(
        section.where('environment'),
        `environment of ${reader.key}`,
        name === '' ? 'a variable has no name' : `the name ${name} contains \`=\``,
        'it is left out',
      );
    else if (text !== null) env.set(name, text);
    else {
      env.delete(name);
      report.once(
        'inherited',
        section.where('environment'),
        `${name} of ${reader.key}`,
        'a variable without a value is taken from the environment of the container, which every service has',
      );
    }
  }
  const given = env.get('PORT');
  const port = typeof given === 'string' ? readPort(given) : null;
  // svc-super exports the first port as PORT itself.
  if (port !== null && (reader.ports.length === 0 || fields.port === port)) {
    if (fields.port === port || reader.claimPort(port)) {
      fields.port = port;
      env.delete('PORT');
    }
  }
  if (env.size > 0) fields.env = Object.fromEntries(env);
  writeFiles(reader, files, fields);
}

/** An entry of `env_file`. */
interface EnvironmentFile {
  readonly path: string;
  readonly required: boolean;
  /** null: the import cannot read it. */
  readonly text: string | null;
}

/** The variables of the image. In Compose `env_file` wins over them, but here it does not win over `env`: those of a file are left out. */
function imageVariables({ section, report, image, key }: ComposeReader, files: readonly EnvironmentFile[]) {
  const env = new Map<string, Value>(variablesOf(image).map(([name, value]) => [name, literal(value)]));
  for (const { text } of files)
    for (const [, name = ''] of (text ?? '').matchAll(/^[ \t]*(?:export[ \t]+)?([^\s#=]+)[ \t]*=/gm)) env.delete(name);
  const unread = files.filter(({ text }) => text === null).map(({ path }) => path);
  if (env.size > 0 && unread.length > 0) {
    const why = `the variables of its image are in \`env\` here, which wins over ${unread.join(', ')}; in Compose the file wins`;
    const advice = 'remove from `env` what the file sets too';
    report.look(section.where('env_file'), `env_file of ${key}`, why, advice);
  }
  return env;
}

function scalar(text: string, at: Node | undefined): Node {
  return { kind: 'scalar', value: text, text, plain: false, start: at?.start ?? 0, end: at?.end ?? 0 };
}

/** `A=b` items: what follows the first `=` is the value, quotes included. */
function listPairs(node: Node | undefined): readonly (readonly [string, Node | string | undefined])[] {
  return itemsOf(node).flatMap((item) => {
    const text = textOf(item) ?? '';
    const at = text.indexOf('=');
    if (text === '') return [];
    return [at < 0 ? ([text, undefined] as const) : ([text.slice(0, at), text.slice(at + 1)] as const)];
  });
}

function readFiles(reader: ComposeReader): readonly EnvironmentFile[] {
  const { section, report } = reader;
  const toFile = (path: string, required: boolean): EnvironmentFile => {
    const place = isAbsolute(path) ? path : join(dirname(section.source.file), path);
    const text = reader.context.dockerRun.read(place);
    return { path, required, text };
  };
  return itemsOf(section.take('env_file')).flatMap((node): EnvironmentFile[] => {
    if (node.kind !== 'map') {
      const path = reader.textAt(node, 'variables-kept');
      return path ? [toFile(path, true)] : [];
    }
    const one = new Section(node, section.source);
    const path = reader.textAt(one.take('path'), 'variables-kept');
    const required = switchOf(one.take('required')) ?? true;
    for (const { key, node: value } of one.rest()) {
      report.lost(
        one.where(key),
        `env_file.${key} of ${reader.key}: ${briefOf(value)}`,
        key === 'format' ? 'values of environment files are literal' : 'Compose has no such key',
      );
    }
    return path ? [toFile(path, required)] : [];
  });
}

function writeFiles(
  { section, report, key }: ComposeReader,
  files: readonly EnvironmentFile[],
  fields: ServiceDraft['fields'],
): void {
  if (files.length === 0) return;
  fields.env_file = files.map(({ path, required }) => (required ? path : { path, required }));
  for (const { path, text } of files) {
    const why =
      text !== null && /\$/.test(text)
        ? 'Compose replaces the variables in it, svc-super does not; it is read relative to the folder of services.yaml'
        : 'it is read at each start of the service, relative to the folder of services.yaml';
    report.look(section.where('env_file'), `env_file of ${key}: ${path}`, why, 'copy it into the image, or mount it');
  }
}
