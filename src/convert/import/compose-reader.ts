// What the parts of a Compose import share: one service while it is read, and the settings of the container that all services
// have in common.
import type { Node } from '../../config/tree.ts';
import type { Where } from '../findings.ts';
import type { ServiceDraft } from '../services-yaml.ts';
import { briefOf, printedOf, type Section } from '../yaml-source.ts';
import type { Value } from '../yaml-values.ts';
import { findImage, type ImageConfig } from './compose-image.ts';
import { type ComposeText, readComposeText } from './compose-text.ts';
import type { Report } from './source.ts';

/** The options of `docker run` that the services together need. */
export class DockerRun {
  readonly #options = new Set<string>();
  readonly #ports = new Map<number, { readonly service: string; readonly where: Where }>();
  readonly #mounts = new Map<string, { readonly source: string; readonly service: string }>();
  readonly #read: (path: string) => string | null;

  constructor(read: (path: string) => string | null) {
    this.#read = read;
  }

  /** A file beside the Compose file, such as an env file; null: it does not exist. */
  read(path: string): string | null {
    return this.#read(path);
  }

  addOption(option: string): void {
    this.#options.add(option);
  }

  isFree(port: number): boolean {
    return !this.#ports.has(port);
  }

  /** Registers a port of a service. If another service has it, reports both places and returns false. */
  claim(port: number, service: string, where: Where, report: Report): boolean {
    const other = this.#ports.get(port);
    if (other === undefined) this.#ports.set(port, { service, where });
    if (other === undefined || other.service === service) return true;
    const place = `${other.where.file}:${other.where.line}`;
    report.look(
      where,
      `port ${port} of ${service}`,
      `${other.service} (${place}) also listens on it, and only one service of a container can`,
      `give one of them another port`,
    );
    return false;
  }

  mount(target: string, source: string, service: string, where: Where, report: Report): void {
    const other = this.#mounts.get(target);
    if (other === undefined) this.#mounts.set(target, { source, service });
    else if (other.source !== source) {
      report.look(
        where,
        `volume ${target} of ${service}`,
        `${other.service} mounts ${other.source} there, and a container has one folder at a path`,
        'give one of them another folder',
      );
    }
  }

  /** The `docker run` line, as a finding; nothing if no option is needed. */
  report(report: Report): void {
    if (this.#options.size === 0) return;
    const line = `docker run ${[...this.#options].join(' ')} IMAGE`;
    const why = 'settings of its services in Compose are options of `docker run` here';
    report.look(null, 'the container', why, `start it with \`${line}\``);
  }
}

/** A service that has GPUs. */
interface GpuUser {
  readonly key: string;
  readonly where: Where;
  /** The value of `gpus` if no other service has any. */
  readonly wish: Value;
  readonly fields: ServiceDraft['fields'];
}

/** The parts of the file that the import of each service reads. */
export interface ComposeContext {
  readonly report: Report;
  readonly images: readonly ImageConfig[];
  /** Our names by theirs. */
  readonly names: ReadonlyMap<string, string>;
  /** Services that only keep a network for others, and are left out. */
  readonly holders: ReadonlySet<string>;
  /** The services that have GPUs, in the order of the file. */
  readonly gpuUsers: GpuUser[];
  /** The files of secrets and configs, by `secrets.NAME` and `configs.NAME`. Others are no files. */
  readonly mounted: ReadonlyMap<string, string>;
  readonly dockerRun: DockerRun;
}

/** One service while it is read. */
export class ComposeReader {
  readonly section: Section;
  readonly context: ComposeContext;
  /** Its name in the Compose file. */
  readonly key: string;
  readonly image: ImageConfig | null;
  /** Names of services: all of them are this container. */
  readonly hosts: ReadonlySet<string>;
  /** TCP ports in the container, the first one being `PORT`. */
  ports: readonly number[] = [];

  constructor(key: string, section: Section, context: ComposeContext) {
    this.key = key;
    this.section = section;
    this.context = context;
    this.hosts = new Set(context.names.keys());
    const image = this.textAt(section.take('image'), 'variables-unset');
    this.image = findImage(context.images, image === '' ? null : image, key, section.has('build'));
  }

  get report(): Report {
    return this.context.report;
  }

  /**
   * A scalar; null: none, or one that Compose refuses, which is reported. The second argument says what becomes of its variables:
   * `variables-kept` writes them as references of services.yaml, `variables-for-shell` leaves them to a shell, and
   * `variables-unset` reads the text as with none of them set, which the import needs where it parses the text itself.
   */
  textAt(
    node: Node | undefined,
    variables: 'variables-kept' | 'variables-for-shell' | 'variables-unset',
  ): string | null {
    const read = this.read(node);
    if (read === null) return null;
    if (variables === 'variables-kept') return read.text;
    return variables === 'variables-for-shell' ? read.shell : read.bare;
  }

  /** A scalar with its variables. */
  read(node: Node | undefined): ComposeText | null {
    if (node?.kind !== 'scalar' || node.value === null) return null;
    const read = readComposeText(typeof node.value === 'string' ? node.text : printedOf(node));
    if (!read.ok) {
      this.report.look(this.section.where(), briefOf(node), `Compose refuses it: ${read.why}`, 'it is left out');
      return null;
    }
    this.explainVariables(read.value);
    return read.value;
  }

  /** Makes a port, which the service takes from its variable PORT, its only port if it is free. Returns whether it was free. */
  claimPort(port: number): boolean {
    if (!this.context.dockerRun.isFree(port)) return false;
    this.context.dockerRun.claim(port, this.key, this.section.where(), this.report);
    this.ports = [port];
    return true;
  }

  explainVariables({ variables, withoutOperator, loosened }: ComposeText): void {
    const [first] = variables;
    if (first === undefined) return;
    const why =
      'svc-super takes variables from the environment of the container alone, not from a `.env` file or the shell of `docker compose`';
    this.report.once(
      'variables',
      this.section.where(),
      `\${${first}}`,
      why,
      'give them with `docker run -e` or `--env-file`',
    );
    for (const name of withoutOperator) {
      const empty = 'it has no default, so it is empty where the container has no such variable, as in Compose';
      const advice = 'set it there, or write `$$` for a `$` that begins no variable';
      this.report.lookOnce(`variable ${name}`, this.section.where(), `\${${name}}`, empty, advice);
    }
    if (loosened) {
      const looser = 'an empty variable counts as unset here, as with `:-`';
      this.report.changed(this.section.where(), `operators without a colon in ${this.key}`, looser);
    }
  }
}
