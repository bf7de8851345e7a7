// `export slurm`: an Apptainer definition and a batch script that runs its image. svc-super runs inside, so that nothing of
// services.yaml is lost but what an unprivileged, read-only container on a shared node cannot do.
import { toSeconds } from '../quantities.ts';
import { renderDefinition } from './apptainer.ts';
import type { Exporter } from './format.ts';
import { toLabel } from './names.ts';
import { changed, look, lost, type Reporter, type Rules, reportServices } from './report.ts';
import { renderBatchScript } from './slurm-batch.ts';
import { portVariables } from './slurm-ports.ts';
import { type ExportSource, withoutCopies } from './source.ts';
import { reportOutside, reportRepeated } from './whole.ts';

/** Between SIGTERM and SIGKILL after scancel, by default (slurm.conf(5), KillWait). */
const KILL_WAIT_SECONDS = 30;

const READ_ONLY = look('the image is read-only', 'write to a folder that is bound: `--bind DIR`');

/** Any other field works as in any container. */
const LIMITED: Rules = {
  user: lost('Apptainer runs everything as the user of the job', 'remove it'),
  nice: ({ config }) => ((config.nice ?? 0) < 0 ? lost('a user may only raise the nice value', 'remove it') : null),
  oom_score_adj: ({ config }) =>
    (config.oom_score_adj ?? 0) < 0 ? lost('a user may only raise it', 'remove it') : null,
  cpus: changed('the numbers are those of the node, and Slurm gives the job processors of its choice', 'remove it'),
  'log.file': READ_ONLY,
  'log.stderr_file': READ_ONLY,
};

export const exportSlurm: Exporter = (source, options, reporter) => {
  const label = toLabel(options.recipe?.name ?? source.name);
  reportOutside(source, reporter);
  reportRepeated(source, ['gpus', 'stop_timeout', 'replicas'], reporter);
  reportServices(source, source.services, LIMITED, reporter, 'kept');
  reportNode(source, reporter);
  return [
    { name: `${label}.sbatch`, text: renderBatchScript(source, options, label, reporter) },
    { name: `${label}.def`, text: renderDefinition(source, options.image, label, reporter) },
    { name: source.fileName, text: source.text, isCopy: true },
  ];
};

/** Reports what differs because the node is shared and the job has a time limit. */
function reportNode(source: ExportSource, reporter: Reporter): void {
  const { config, services } = source;
  const stop = toSeconds(config.stop_timeout);
  if (stop > KILL_WAIT_SECONDS) {
    const why = `after \`scancel\` Slurm kills in KillWait, ${KILL_WAIT_SECONDS} s unless the site has changed it`;
    reporter.add(
      ['stop_timeout'],
      '`stop_timeout`',
      changed(why, 'use `scancel -b -s TERM JOB`: Slurm sends the signal and does not kill afterwards'),
    );
  }
  if (config.hosts) {
    reporter.add(['hosts'], '`hosts`', lost('/etc/hosts of the container is read-only', 'write 127.0.0.1'));
  }
  const why = 'under Apptainer the image is read-only, and `--no-home` leaves out the home folder';
  reporter.addGeneral('the file system', look(why, 'bind every folder that a service writes to: `--bind DIR`'));
  const keys = new Set(portVariables(source).map(({ key }) => key));
  for (const { key, config: own } of withoutCopies(services)) {
    if (own.ports.length === 0 || keys.has(key)) continue;
    const field = source.has(['services', key, 'ports']) ? 'ports' : 'port';
    const shared = `the ports of a node are shared by its jobs, and ${own.ports.join(', ')} may be taken`;
    const name = `${key.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}_PORT`;
    const instead = `write \`port: \${${name}:-${own.ports[0]}}\`, and the same in \`command\` and \`env\`: the script then chooses a free port`;
    reporter.add(['services', key, field], `\`${field}\` of ${key}`, look(shared, instead));
  }
}
