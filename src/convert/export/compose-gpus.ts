// `gpus` of Compose. svc-super gives each service devices of its own; Docker gives `count: 1` the first device to every
// container, so the output names the devices.
import { changed, look, type Reporter } from './report.ts';
import type { ExportService } from './source.ts';

interface GpuRequest {
  readonly driver: 'nvidia';
  readonly count?: number | 'all';
  readonly device_ids?: readonly string[];
}

/** The value of `gpus` by the name of the service. */
export function gpuSettings(
  services: readonly ExportService[],
  reporter: Reporter,
): ReadonlyMap<string, readonly GpuRequest[]> {
  const users = services.filter(({ config }) => config.gpus !== null && config.gpus.wish !== 0);
  const isAlone = users.length === 1;
  const named = new Set(users.flatMap(({ config: { gpus } }) => (typeof gpus?.wish === 'object' ? gpus.wish : [])));
  const free = freeIds(named);
  return new Map(
    users.map(({ name, key, config: { gpus } }): [string, readonly GpuRequest[]] => {
      const wish = gpus?.wish ?? 0;
      const path = ['services', key, 'gpus'];
      const what = `\`gpus\` of ${key}`;
      if (wish === 'all') {
        if (!isAlone) reporter.add(path, what, changed('other services get these devices too', 'name the devices'));
        return [name, [{ driver: 'nvidia', count: 'all' }]];
      }
      if (typeof wish !== 'number') return [name, [{ driver: 'nvidia', device_ids: wish }]];
      if (!isAlone && gpus?.shared === true)
        reporter.add(
          path,
          what,
          changed('Docker gives it the first devices, which others may have', 'name the devices'),
        );
      if (isAlone || gpus?.shared === true) return [name, [{ driver: 'nvidia', count: wish }]];
      const ids = Array.from({ length: wish }, () => free.next().value);
      const why = `Compose keeps no device for one service, so the output names the devices ${ids.join(', ')}, which no other service gets, except one with \`all\` or \`shared\``;
      reporter.add(path, what, look(why, 'correct `device_ids` where the machine has other devices'));
      return [name, [{ driver: 'nvidia', device_ids: ids }]];
    }),
  );
}

/** The numbers of devices from 0 on, as Docker takes them, without those in `named`. */
function* freeIds(named: ReadonlySet<string>): Generator<string, never> {
  for (let id = 0; ; id += 1) if (!named.has(String(id))) yield String(id);
}
