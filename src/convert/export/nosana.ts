// `export nosana`: a job definition (version 0.1) with one container for all services. `--per-service` is in
// nosana-operations.ts. Facts: the schema of @nosana/types, the guide at learn.nosana.com.
import type { Exporter } from './format.ts';
import { toLabel } from './names.ts';
import { exposePorts, type NosanaPort } from './nosana-health.ts';
import { renderJob } from './nosana-job.ts';
import { exportOperations } from './nosana-operations.ts';
import { look } from './report.ts';
import { gpuDemand, reportGpus, reportImage, reportOutside, reportRepeated } from './whole.ts';

export const exportNosana: Exporter = (source, options, reporter) =>
  options.perService ? exportOperations(source, options, reporter) : exportContainer(source, options, reporter);

const exportContainer: Exporter = (source, { image }, reporter) => {
  reportOutside(source, reporter);
  reportRepeated(source, ['port', 'ports', 'gpus', 'replicas'], reporter);
  reportImage('Nosana', reporter);
  const demand = gpuDemand(source.services);
  const needsGpus = demand !== null && demand !== 0;
  if (needsGpus) {
    const wanted = demand === 'all' ? 'all GPUs' : `${demand} of them`;
    const why = `a job only says that it needs GPUs, and the services need ${wanted}`;
    const instead = 'post the job to a market whose nodes have enough, with enough memory on each';
    reportGpus(source, look(why, instead), reporter);
  }
  const expose = uniquePorts(
    source.services
      .filter(({ isStarted, isConditional }) => isStarted || isConditional)
      .flatMap((service) => exposePorts(source, service, true, reporter)),
  );
  const args = {
    image,
    ...(needsGpus ? { gpu: true } : {}),
    ...(expose.length === 0 ? {} : { expose }),
  };
  return [renderJob(source, [{ type: 'container/run', id: toLabel(source.name), args }])];
};

/** A definition in which a port stands twice is refused. */
function uniquePorts(ports: readonly NosanaPort[]): readonly NosanaPort[] {
  const numbers = new Set<number>();
  return ports.filter((one) => {
    const number = typeof one === 'number' ? one : one.port;
    return numbers.has(number) ? false : numbers.add(number);
  });
}
