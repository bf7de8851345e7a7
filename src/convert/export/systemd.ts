// `export systemd`: a Podman quadlet (podman-systemd.unit(5)) that runs the image of `export dockerfile` under systemd. Nothing
// of services.yaml is lost: svc-super runs it inside the container.
import { toSeconds } from '../quantities.ts';
import type { Exporter } from './format.ts';
import { toLabel } from './names.ts';
import { longestStart } from './order.ts';
import { look, type Reporter } from './report.ts';
import type { ExportSource } from './source.ts';
import {
  commonStopSignal,
  ENGINE_FIELDS,
  gpuDemand,
  publishedPorts,
  reportGpus,
  reportImage,
  reportOutside,
  reportRepeated,
  startPeriod,
} from './whole.ts';

/** How much later each limit is than the one inside it: first that of svc-super, then that of Podman, then that of systemd. */
const MARGIN_SECONDS = 5;

export const exportSystemd: Exporter = (source, { image }, reporter) => {
  reportOutside(source, reporter);
  reportRepeated(source, ENGINE_FIELDS, reporter);
  reportImage('Podman', reporter);
  const label = toLabel(source.name);
  const stop = toSeconds(source.config.stop_timeout) + MARGIN_SECONDS;
  const start = Math.max(90, toSeconds(longestStart(source.services)) + MARGIN_SECONDS);
  const lines = [
    `# Made by \`svc-super export systemd\`. Copy it to /etc/containers/systemd/ (or ~/.config/containers/systemd/), then`,
    `# \`systemctl daemon-reload && systemctl start ${label}\`.`,
    '[Unit]',
    `Description=${escapeValue(label)}, services under svc-super`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Container]',
    `Image=${escapeValue(image)}`,
    `ContainerName=${label}`,
    ...publishedPorts(source).map(({ port }) => `PublishPort=${port}:${port}`),
    ...gpuLines(source, reporter),
    `PodmanArgs=--stop-timeout=${stop} --stop-signal=${commonStopSignal(source)}`,
    'HealthCmd=svc-super health',
    'HealthInterval=10s',
    `HealthStartPeriod=${startPeriod(source)}`,
    '# With the next line the unit becomes active when all services are ready, and units with After= wait for that. It needs Podman 5.',
    '# Notify=healthy',
    '',
    '[Service]',
    '# The container ends by the rules of services.yaml (`exit`), with the exit code of the service. With the next line systemd starts it',
    '# again after a failure.',
    '# Restart=on-failure',
    `TimeoutStartSec=${start}`,
    `TimeoutStopSec=${stop + MARGIN_SECONDS}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target default.target',
  ];
  return [{ name: `${label}.container`, text: `${lines.join('\n')}\n` }];
};

/** `%` begins a specifier (systemd.unit(5)). */
const escapeValue = (value: string): string => value.replaceAll('%', '%%');

/** Devices by the Container Device Interface, which `nvidia-ctk cdi generate` sets up. */
function gpuLines(source: ExportSource, reporter: Reporter): readonly string[] {
  const demand = gpuDemand(source.services);
  if (demand === null || demand === 0) return [];
  const why = 'Podman gives the container devices by number, whether another container uses them or not';
  const remark = look(why, 'check `AddDevice=`, and run `nvidia-ctk cdi generate` once on the machine');
  reportGpus(source, remark, reporter);
  if (demand === 'all') return ['AddDevice=nvidia.com/gpu=all'];
  return Array.from({ length: demand }, (_, index) => `AddDevice=nvidia.com/gpu=${index}`);
}
