// What an image runs, from the output of `docker image inspect` (the OCI image configuration:
// https://github.com/opencontainers/image-spec/blob/main/config.md), and which image a service has. Merges nothing.
import { RESERVED } from '../../plan/env-files.ts';
import { startOf, type Where } from '../findings.ts';
import { entriesOf, itemsOf, readYaml, Section, textsOf } from '../yaml-source.ts';

/** Durations are nanoseconds there; here milliseconds, null where not given. */
export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly interval: number | null;
  readonly timeout: number | null;
  readonly startPeriod: number | null;
  readonly startInterval: number | null;
  readonly retries: number | null;
}

export interface ImageConfig {
  /** `name:tag`, as `normalizeImage` gives them. */
  readonly names: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly user: string | null;
  readonly workingDir: string | null;
  readonly env: ReadonlyMap<string, string>;
  /** TCP ports. */
  readonly ports: readonly number[];
  readonly stopSignal: string | null;
  readonly healthcheck: ImageHealthcheck | null;
}

/** `redis` and `docker.io/library/redis:latest` are one image. */
function normalizeImage(name: string): string {
  const short = name.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
  return /[:@][^/]*$/.test(short) ? short : `${short}:latest`;
}

export type ImagesRead =
  | { readonly ok: true; readonly images: readonly ImageConfig[] }
  | { readonly ok: false; readonly where: Where; readonly message: string };

/** Reads the outputs of `docker image inspect`: lists of images, or one image. */
export function readImages(files: readonly { readonly path: string; readonly text: string }[]): ImagesRead {
  const images: ImageConfig[] = [];
  for (const file of files) {
    const read = readYaml(file);
    const where = startOf(file.path);
    if (!read.ok)
      return { ok: false, where, message: `it is not what \`docker image inspect\` prints: ${read.message}` };
    for (const node of itemsOf(read.root)) {
      const image = new Section(node, read.source);
      if (!image.has('Config')) return { ok: false, where, message: 'an image in it has no `Config`' };
      images.push(readImage(image));
    }
  }
  return { ok: true, images };
}

function readImage(image: Section): ImageConfig {
  const config = image.section('Config');
  const env = textsOf(config.take('Env')).map((one): [string, string] => {
    const at = one.indexOf('=');
    return at < 0 ? [one, ''] : [one.slice(0, at), one.slice(at + 1)];
  });
  const ports = entriesOf(config.take('ExposedPorts')).flatMap(({ key }) => {
    const port = /^(\d+)(?:\/tcp)?$/.exec(key)?.[1];
    return port === undefined ? [] : [Number(port)];
  });
  const names = [...textsOf(image.take('RepoTags')), ...textsOf(image.take('RepoDigests'))].map(normalizeImage);
  const given = (key: string): string | null => config.text(key) || null;
  return {
    names,
    entrypoint: textsOf(config.take('Entrypoint')),
    cmd: textsOf(config.take('Cmd')),
    user: given('User'),
    workingDir: given('WorkingDir'),
    env: new Map(env),
    ports,
    stopSignal: given('StopSignal'),
    healthcheck: config.has('Healthcheck') ? readHealthcheck(config.section('Healthcheck')) : null,
  };
}

function readHealthcheck(section: Section): ImageHealthcheck {
  const millis = (key: string): number | null => {
    const nanoseconds = Number(section.text(key) ?? 0);
    return nanoseconds > 0 ? Math.round(nanoseconds / 1e6) : null;
  };
  return {
    test: textsOf(section.take('Test')),
    interval: millis('Interval'),
    timeout: millis('Timeout'),
    startPeriod: millis('StartPeriod'),
    startInterval: millis('StartInterval'),
    retries: Number(section.text('Retries') ?? 0) || null,
  };
}

/** The usual PATH of images, which needs no entry. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The variables of an image that a service needs in `env`, without those that svc-super sets itself. */
export function variablesOf(image: ImageConfig | null): readonly (readonly [string, string])[] {
  return [...(image?.env ?? [])].filter(
    ([name, value]) => !RESERVED.has(name) && (name !== 'PATH' || value !== USUAL_PATH),
  );
}

/** The image of a service. The name of an image that is built ends in the name of the service. */
export function findImage(
  images: readonly ImageConfig[],
  image: string | null,
  service: string,
  isBuilt: boolean,
): ImageConfig | null {
  if (image !== null) return images.find(({ names }) => names.includes(normalizeImage(image))) ?? null;
  if (!isBuilt) return null;
  const built = images.filter(({ names }) =>
    names.some((name) => ['-', '_', '/'].some((mark) => name.split(':')[0]?.endsWith(`${mark}${service}`))),
  );
  return built.length === 1 ? (built[0] ?? null) : null;
}
