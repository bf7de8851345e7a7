// Models of `top` for tests: services with few words, and what the screen shows of them as plain text.

import { initialModel, type Model, type TopService } from '../../src/cli/top/model.ts';
import { makeLook } from '../../src/cli/top/style.ts';
import { withGraph, withStatus } from '../../src/cli/top/update.ts';
import { type Picture, viewOf } from '../../src/cli/top/view.ts';
import type { StatusBody } from '../../src/control/api.ts';

export const NOON = Date.parse('2026-01-01T12:00:00Z');

export function topService(name: string, fields: Partial<TopService> = {}): TopService {
  return {
    name,
    replica: null,
    type: 'service',
    group: null,
    essential: true,
    state: 'ready',
    ready: true,
    probed: true,
    wanted: 'up',
    blocked: false,
    unkillable: false,
    reason: null,
    pid: 100,
    run: 1,
    restarts: 0,
    uptime_seconds: 60,
    ready_after_seconds: 0.5,
    gpus: null,
    exit: null,
    success: null,
    usage: { cpu_seconds: 1, memory_bytes: 64 * 1_024 * 1_024, processes: 1 },
    ...fields,
  } as TopService;
}

export function failedService(name: string, reason: string): TopService {
  return topService(name, { state: 'failed', ready: false, pid: null, uptime_seconds: null, usage: null, reason });
}

export function statusOf(services: readonly TopService[], restarts = 0): StatusBody {
  const supervisor = { restarts, reasons: {}, last: null };
  return {
    name: 'shop',
    phase: 'running',
    healthy: true,
    groups: [],
    version: '1',
    pid: 2,
    supervisor,
    services,
  } as unknown as StatusBody;
}

export interface Look {
  readonly columns?: number;
  readonly rows?: number;
  readonly colour?: boolean;
  readonly unicode?: boolean;
}

export function topModel(
  services: readonly TopService[],
  { columns = 80, rows = 24, colour = false, unicode = true }: Look = {},
): Model {
  const look = makeLook({ colour, unicode });
  const model = withStatus(initialModel({ look, now: NOON, size: { columns, rows } }), statusOf(services), NOON);
  return withGraph(
    model,
    services.map(({ name }) => ({ name, needs: [] })),
  );
}

/** The rows of a frame without styles, the box drawn above them. */
export function plainRows(frame: Picture): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: styles are escape sequences
  const plain = (row: string) => row.replaceAll(/\x1b\[[\d;]*m/g, '');
  return [...frame.rows.map(plain), ...(frame.box?.rows ?? []).map(plain)];
}

export function screenOf(model: Model): string {
  return plainRows(viewOf(model))
    .map((row) => row.trimEnd())
    .join('\n');
}
