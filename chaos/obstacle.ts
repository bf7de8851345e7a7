// Why no round can run here; null where one can.
import { existsSync } from 'node:fs';
import { BINARY, SUPERVISOR } from './room.ts';

export function whyNoChaos(): string | null {
  for (const file of [BINARY, SUPERVISOR]) if (!existsSync(file)) return `there is no ${file}: npm run build`;
  if (process.getuid?.() !== 0) return 'only root can make the namespaces that it needs';
  const probe = Bun.spawnSync(['unshare', '--pid', '--fork', '--mount-proc', '--mount', '--net', 'true']);
  return probe.success ? null : `no namespaces can be made: ${probe.stderr.toString().trim()}`;
}
