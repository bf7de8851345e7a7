// The settings of an engine for one container with svc-super and all services: ports, GPUs, times and the findings about
// them. services.yaml goes into the image unchanged, so no setting in it is lost.
import { isAbsolute, normalize, resolve } from '../../paths.ts';
import { CONFIG_FILE, CONFIG_FOLDER } from './format.ts';
import { longestStart } from './order.ts';
import { look, type Remark, type Reporter } from './report.ts';
import type { ExportService, ExportSource } from './source.ts';

export interface PublishedPort {
  readonly port: number;
  readonly service: ExportService;
}

/** The ports of the services that run or may run, each once, in the order of the file. */
export function publishedPorts({ services }: ExportSource): readonly PublishedPort[] {
  const published = new Map<number, PublishedPort>();
  for (const service of services) {
    if (!service.isStarted && !service.isConditional) continue;
    for (const port of service.config.ports) if (!published.has(port)) published.set(port, { port, service });
  }
  return [...published.values()];
}

/** How many GPUs the services need together; `all` if one takes all; null if none asks for any. */
export function gpuDemand(services: readonly ExportService[]): number | 'all' | null {
  const wishes = services.flatMap(({ isStarted, config: { gpus } }) => (isStarted && gpus !== null ? [gpus] : []));
  if (wishes.length === 0) return null;
  if (wishes.some(({ wish }) => wish === 'all')) return 'all';
  const count = ({ wish }: (typeof wishes)[number]): number => (typeof wish === 'number' ? wish : wish.length);
  const own = wishes.filter(({ shared }) => !shared).reduce((sum, wish) => sum + count(wish), 0);
  return own + Math.max(0, ...wishes.filter(({ shared }) => shared).map(count));
}

/** The longest start in whole minutes, at least one; some readers of a Dockerfile know one unit only (`75m`, not `1h15m`). */
export function startPeriod(source: ExportSource): string {
  return `${Math.max(1, Math.ceil(longestStart(source.services) / 60_000))}m`;
}

/** Reports about the first service that asks for GPUs, with `wish` the first that asks for `all`. */
export function reportGpus({ services }: ExportSource, remark: Remark, reporter: Reporter, wish?: 'all'): void {
  const user = services.find(({ config: { gpus } }) => gpus !== null && (wish === undefined || gpus.wish === wish));
  if (user !== undefined) reporter.add(['services', user.key, 'gpus'], `\`gpus\` of ${user.key}`, remark);
}

/** The fields whose values an output for one engine of containers repeats. */
export const ENGINE_FIELDS = ['port', 'ports', 'gpus', 'stop_timeout', 'start_timeout', 'replicas'] as const;

/** Reports each value that the output takes from one of the fields, and that `up` may read differently because of a variable. */
export function reportRepeated(source: ExportSource, fields: readonly string[], reporter: Reporter): void {
  const { references, assumed, services } = source;
  for (const { name, written, path } of references) {
    if (!path.some((step) => fields.includes(String(step)))) continue;
    const stand = assumed.get(name);
    reporter.add(
      path,
      `\`${written}\``,
      stand === undefined
        ? look(`the output has the default of ${name}`, `where you set ${name}, change the output too`)
        : look(`${name} has no default, and the output assumes ${stand}`, 'correct the output, or write a default'),
    );
  }
  for (const { key, isStarted, isConditional, config } of services) {
    if (isStarted || !isConditional || config.gpus === null || !fields.includes('gpus')) continue;
    const remark = look('the output has no GPUs for it, because it is not enabled by default', 'change the number');
    reporter.add(['services', key, 'gpus'], `\`gpus\` of ${key}`, remark);
  }
}

/** Reports what is outside of services.yaml: files to mount, variables to set, a port to publish. */
export function reportOutside(source: ExportSource, reporter: Reporter): void {
  const { config, services, references } = source;
  const required = new Map(references.filter(({ fallback }) => fallback === null).map((one) => [one.name, one]));
  for (const { name, written, path } of required.values()) {
    const remark = look(`${name} has no default, and without it nothing starts`, 'set it where the container is run');
    reporter.add(path, `\`${written}\``, remark);
  }
  const files = (path: readonly string[], env: ExportService['config']['env']): void => {
    for (const [name, value] of env) {
      if (typeof value === 'string' || value.file === undefined) continue;
      const remark = look(`its value is in ${value.file} and is not in the output`, 'mount that file in the container');
      reporter.add([...path, 'env', name], `\`env.${name}\``, remark);
    }
  };
  files([], config.env);
  if (config.control !== null) {
    const remark = look('its port is not published', 'publish it yourself where it listens beyond the loopback');
    reporter.add(['control'], '`control`', remark);
  }
  for (const { key, config: own } of services) files(['services', key], own.env);
}

/**
 * The environment files to put into the image, as source and target: those that are required and in the folder of services.yaml
 * or below. Reports the others. `advise` says what to do for a target.
 */
export function bundledFiles(
  { config, services }: ExportSource,
  advise: (target: string) => string,
  reporter: Reporter,
): ReadonlyMap<string, string> {
  const owners = [
    { path: [] as string[], files: config.env_file },
    ...services.map((service) => ({ path: ['services', service.key], files: service.config.env_file })),
  ];
  const bundled = new Map<string, string>();
  for (const { path, files } of owners) {
    for (const { path: file, required } of files) {
      const target = resolve(CONFIG_FOLDER, file);
      const isBeside = !isAbsolute(file) && !/^\.\.(?:\/|$)/.test(normalize(file));
      if (required && isBeside) bundled.set(file, target);
      else {
        const why = isBeside ? `${file} is optional and not copied` : `${file} is outside the folder of the build`;
        reporter.add([...path, 'env_file'], `\`env_file\` ${file}`, look(why, advise(target)));
      }
    }
  }
  return bundled;
}

/** SIGTERM, or where the file excludes it the first signal that asks to stop. */
export function commonStopSignal({ config }: ExportSource): string {
  const signals = config.stop_signals;
  return signals.includes('SIGTERM') ? 'SIGTERM' : (signals[0] ?? 'SIGTERM');
}

/** Says once what the image has to contain. */
export function reportImage(format: string, reporter: Reporter): void {
  const why = `${format} runs svc-super in it`;
  const instead = `the image needs svc-super and ${CONFIG_FILE}: \`svc-super export dockerfile\` writes its Dockerfile`;
  reporter.addGeneral('the image', look(why, instead));
}

/** Whether no reader of an output needs quotes for the name of a file. */
export const isPlain = (name: string): boolean => /^[\w.@+/-]+$/.test(name);

/** The name of a file within a comment: a newline in it would end the comment. */
export function onOneLine(name: string): string {
  return isPlain(name) ? name : JSON.stringify(name);
}
