// One container of a Pod from one service. Facts: the API reference of Kubernetes, core/v1 Container.
import type { ServiceConfig } from '../../config/config.ts';
import { writeSize } from '../quantities.ts';
import { quoteWords } from '../words.ts';
import { reportSecrets } from './environment-report.ts';
import { toLabel } from './names.ts';
import { changed, look, lost, type Reporter } from './report.ts';
import { environmentFiles, literalEnvironment, preStopCommands, wrappedCommand } from './shell.ts';
import type { ExportService, ExportSource } from './source.ts';
import { compact } from './yaml.ts';

/** A container without its probes. */
export function toContainer(
  source: ExportSource,
  service: ExportService,
  { name, image }: { readonly name: string; readonly image: string },
  reporter: Reporter,
): Record<string, unknown> {
  const { config, key } = service;
  reportSecrets(source, service, { place: 'container', instead: 'mount a Secret there' }, reporter);
  return compact({
    name,
    image,
    command: wrappedCommand(source, service).map(escapeReference),
    workingDir: config.cwd,
    env: Object.entries(literalEnvironment(source, service)).map(([variable, value]) => ({
      name: variable,
      value: escapeReference(value),
    })),
    envFrom: configMaps(source, service, reporter),
    ports: config.ports.map((port) => ({ containerPort: port })),
    resources: compact({ limits: { ...gpuLimit(service, reporter), ...memoryLimit(service) } }),
    securityContext: securityContext(config, key, reporter),
    lifecycle: compact({ preStop: preStop(service) }),
  });
}

/** Kubernetes replaces `$(NAME)` in commands and values, and reads `$$` as `$`. */
function escapeReference(text: string): string {
  return text.replaceAll(/\$(?=[($])/g, '$$$$');
}

/** One ConfigMap for each environment file: the manifest does not contain the file. */
function configMaps(source: ExportSource, service: ExportService, reporter: Reporter): readonly object[] {
  return environmentFiles(source, service).map(({ path, required }) => {
    const name = toLabel(path);
    const why = `the variables of ${path} come from the ConfigMap ${name}, which the output does not contain`;
    const remark = look(why, `\`kubectl create configmap ${name} --from-env-file=FILE\``);
    const at = source.has(['services', service.key, 'env_file']) ? ['services', service.key, 'env_file'] : ['env_file'];
    reporter.add(at, `\`env_file\` ${path}`, remark);
    return { configMapRef: { name, ...(required ? {} : { optional: true }) } };
  });
}

function gpuLimit({ config: { gpus }, key }: ExportService, reporter: Reporter): Record<string, number> {
  if (gpus === null || gpus.wish === 0) return {};
  const { wish, shared } = gpus;
  const add = (remark: ReturnType<typeof look>): void =>
    reporter.add(['services', key, 'gpus'], `\`gpus\` of ${key}`, remark);
  if (wish === 'all')
    add(look('a Pod has to ask for a number of GPUs, and the output asks for 1', 'correct the number'));
  if (shared)
    add(
      changed(
        'containers of a Pod do not share a GPU: each gets its own',
        'run the services that share it in one container',
      ),
    );
  if (typeof wish === 'object') add(changed('a Pod asks for a number of GPUs, not for certain ones'));
  return { 'nvidia.com/gpu': wish === 'all' ? 1 : typeof wish === 'number' ? wish : wish.length };
}

/** As the kernel limits it; a Pod whose sum a node does not have stays unscheduled. */
function memoryLimit({ config: { memory_limit } }: ExportService): Record<string, string> {
  return memory_limit === null ? {} : { memory: writeSize(memory_limit).replace(/B$/, '') };
}

function securityContext({ user }: ServiceConfig, key: string, reporter: Reporter): Record<string, unknown> {
  if (user === null) return {};
  const [uid, gid] = [toNumber(user.user), user.group === null ? null : toNumber(user.group)];
  if (uid === null || (user.group !== null && gid === null)) {
    const why = 'Kubernetes takes numbers only, and the image knows the number of a name';
    const remark = lost(why, `write \`user\` as a number (\`id ${user.user}\` in the image)`);
    reporter.add(['services', key, 'user'], `\`user\` of ${key}`, remark);
    return {};
  }
  return compact({ runAsUser: uid, runAsGroup: gid });
}

const toNumber = (written: string): number | null => (/^\d+$/.test(written) ? Number(written) : null);

/** What runs before SIGTERM: `before_stop`, `stop.command`, or another stop signal and the wait for its effect. */
function preStop(service: ExportService): object | null {
  const { stop } = service.config;
  const commands = [...preStopCommands(service)];
  if (stop.command === null && stop.signal !== 'SIGTERM') {
    const signal = stop.signal.replace(/^SIG/, '');
    commands.push(['/bin/sh', '-c', `kill -s ${signal} 1; while kill -0 1 2>/dev/null; do sleep 1; done`]);
  }
  const [only] = commands;
  if (only === undefined) return null;
  return {
    exec: { command: commands.length === 1 ? only : ['/bin/sh', '-c', commands.map(quoteWords).join('; ')] },
  };
}
