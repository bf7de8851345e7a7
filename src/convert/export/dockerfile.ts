// `export dockerfile`: an image with svc-super, services.yaml and the environment files beside it. Nothing of services.yaml is
// lost. Reads no file. The first comment of the output lists the files that the folder of the build has to contain.
import { toSeconds } from '../quantities.ts';
import { CONFIG_FILE, type Exporter } from './format.ts';
import { toLabel } from './names.ts';
import { changed, type Reporter } from './report.ts';
import type { ExportSource } from './source.ts';
import {
  bundledFiles,
  commonStopSignal,
  ENGINE_FIELDS,
  gpuDemand,
  isPlain,
  onOneLine,
  publishedPorts,
  reportOutside,
  reportRepeated,
  startPeriod,
} from './whole.ts';

/** docker stop, podman stop. */
const ENGINE_STOPS_AFTER = 10;

export const exportDockerfile: Exporter = (source, { image }, reporter) => {
  reportOutside(source, reporter);
  reportRepeated(source, ENGINE_FIELDS, reporter);
  reportStop(source, reporter);
  const files = bundledFiles(source, (target) => `mount it at ${target} when the container runs`, reporter);
  const needed = [source.fileName, ...files.keys()].map(onOneLine).join(', ');
  const ports = publishedPorts(source).map(({ port }) => port);
  const lines = [
    `# ${toLabel(source.name)}, made by \`svc-super export dockerfile\`. The folder of the build has to contain ${needed} and`,
    '# the two files of svc-super:',
    `#   docker build -t ${toLabel(source.name)} . && ${runCommand(source)}`,
    `FROM ${image}`,
    '',
    'COPY --chmod=755 svc-super svc-super-supervisor /usr/local/bin/',
    copy(source.fileName, CONFIG_FILE),
    ...[...files].map(([from, to]) => copy(from, to)),
    '# A wrong file fails the build, not the first start.',
    'RUN ["svc-super", "check", "--build"]',
    ...(ports.length === 0 ? [] : [`EXPOSE ${ports.join(' ')}`]),
    `STOPSIGNAL ${commonStopSignal(source)}`,
    '',
    '# "Not ready" counts as unhealthy only after the start period.',
    `HEALTHCHECK --interval=10s --start-period=${startPeriod(source)} CMD ["svc-super", "health"]`,
    'ENTRYPOINT ["svc-super"]',
    "# Without this line the base image's CMD would be read as arguments of svc-super.",
    'CMD []',
  ];
  return [
    { name: 'Dockerfile', text: `${lines.join('\n')}\n` },
    { name: source.fileName, text: source.text, isCopy: true },
  ];
};

/** `COPY` of one file; in the form of a list where a name needs it. */
function copy(from: string, to: string): string {
  return isPlain(`${from}${to}`) ? `COPY ${from} ${to}` : `COPY ${JSON.stringify([from, to])}`;
}

function reportStop({ config }: ExportSource, reporter: Reporter): void {
  if (toSeconds(config.stop_timeout) < ENGINE_STOPS_AFTER) return;
  const time = toSeconds(config.stop_timeout) + 5;
  const why = `\`docker stop\` kills after ${ENGINE_STOPS_AFTER} s, and a Dockerfile cannot change that`;
  reporter.add(['stop_timeout'], '`stop_timeout`', changed(why, `run the container with \`--stop-timeout ${time}\``));
}

/** The command that runs the image with everything that services.yaml asks of the engine. */
function runCommand(source: ExportSource): string {
  const gpus = gpuDemand(source.services);
  const time = toSeconds(source.config.stop_timeout);
  return [
    'docker run',
    ...(gpus === null || gpus === 0 ? [] : [`--gpus ${gpus}`]),
    ...(time < ENGINE_STOPS_AFTER ? [] : [`--stop-timeout ${time + 5}`]),
    ...publishedPorts(source).map(({ port }) => `-p ${port}:${port}`),
    toLabel(source.name),
  ].join(' ');
}
