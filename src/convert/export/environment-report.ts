// What changes in the environment of a service that has a container of its own: variables that svc-super sets, and which source
// of a variable wins.
import { changed, look, type Reporter } from './report.ts';
import { preStopCommands, secretsOf } from './shell.ts';
import { type ExportService, type ExportSource, withoutCopies } from './source.ts';

/**
 * Variables that svc-super sets for a service or its commands, and an engine does not. SVC_REPLICA and PORT are in the output; those of
 * `after_exit` are not, because no engine runs it.
 */
const OWN = /\b(?:SVC_(?:NAME|RUN|GPU_COUNT|SUPER_SOCKET)|NOTIFY_SOCKET|MAINPID)\b/g;

/** Reports what the environments of the services lack or take from elsewhere. */
export function reportEnvironments(source: ExportSource, services: readonly ExportService[], reporter: Reporter): void {
  for (const service of withoutCopies(services)) {
    reportOwnVariables(service, reporter);
    reportPrecedence(source, service, reporter);
  }
}

/** Reports each variable whose value is in a file that the container or the image has to contain. */
export function reportSecrets(
  source: ExportSource,
  service: ExportService,
  { place, instead }: { readonly place: 'container' | 'image'; readonly instead: string },
  reporter: Reporter,
): void {
  for (const [name, path] of secretsOf(source, service)) {
    const remark = look(`its value is in ${path}, which the ${place} has to contain`, instead);
    reporter.add(['services', service.key, 'env', name], `\`env.${name}\` of ${service.key}`, remark);
  }
}

function reportOwnVariables(service: ExportService, reporter: Reporter): void {
  const { key, argv, hooks, ready, live, config } = service;
  const probes = [...ready, ...live].flatMap((probe) => (probe.kind === 'exec' ? probe.argv : []));
  const commands = [...argv, ...(hooks.beforeStart?.argv ?? []), ...preStopCommands(service).flat(), ...probes];
  const texts = [...commands, ...[...config.env.values()].map(String)];
  const names = new Set(texts.flatMap((text) => text.match(OWN) ?? []));
  if (names.size === 0) return;
  const why = `svc-super sets ${[...names].join(', ')}, and the engine does not`;
  const remark = look(why, 'set it in `env`, or change the command');
  reporter.add(['services', key, 'command'], `the environment of ${key}`, remark);
}

function reportPrecedence({ config: top }: ExportSource, { key, config }: ExportService, reporter: Reporter): void {
  const own = ['services', key, 'env_file'];
  const what = config.env_file.length > 0 ? `\`env_file\` of ${key}` : '`env_file`';
  if (config.env_file.length > 0 && top.env.size > 0) {
    const names = [...top.env.keys()].filter((name) => !config.env.has(name));
    const why = `where it has ${names.join(', ')}, the \`env\` at the top wins over it`;
    if (names.length > 0) reporter.add(own, what, changed(why, "move that variable to the service's `env`"));
  }
  const files = config.env_file.length + top.env_file.length;
  if (files > 0 && config.ports.length > 0 && !config.env.has('PORT') && !top.env.has('PORT')) {
    reporter.add(
      config.env_file.length > 0 ? own : ['env_file'],
      what,
      look('a PORT in it does not win over the port'),
    );
  }
}
