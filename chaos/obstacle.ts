// Why no round can run here; null if it can.
import { existsSync } from 'node:fs';
import { BINARY, SUPERVISOR } from './room.ts';

export function whyNoChaos(): string | null {
  for (const file of [BINARY, SUPERVISOR]) if (!existsSync(file)) return `there is no ${file}: npm run build`;
  if (process.getuid?.() !== 0) return 'it needs root to create namespaces';
  const probe = Bun.spawnSync(['unshare', '--pid', '--fork', '--mount-proc', '--mount', '--net', 'true']);
  return probe.success ? null : `namespaces cannot be created: ${probe.stderr.toString().trim()}`;
}
