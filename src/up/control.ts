// Opens the control API of a supervising process: on its socket, and on a TCP port if the configuration has one. Reports a
// failure to open them. Loaded after the first programs have been started.
import type { ApiSource } from '../control/source.ts';
import { isShortOfDescriptors } from '../linux/reserved-descriptor.ts';
import { describeMissingSocket, WHY } from '../linux/socket-paths.ts';
import type { ControlPlan } from '../plan/plan.ts';
import { FD } from '../platform/handover.ts';
import { BOUNDS } from '../runtime/counts.ts';
import type { Core } from './core.ts';
import type { Parts } from './parts.ts';
import { makeApiSource } from './source.ts';

export interface Closable {
  close(): void;
}

/** Null: no socket could be opened, and the configuration has no TCP port for the control API. */
export async function openControl(core: Core, parts: Parts): Promise<Closable | null> {
  const { handover } = parts.request;
  const { announce } = parts;
  const source = makeSource(core, parts);
  const isShort = () => isShortOfDescriptors(handover.files.hard);
  const { control } = core.engine.world.plan;
  const http = control === null ? null : await openHttp(control, source, core, parts, isShort);
  if (handover.socket === null) {
    const reasons = handover.looked.map(describeMissingSocket).join('; ');
    const text = `status and health will not work: no control socket could be opened (${reasons}). Set SVC_SUPER_SOCKET to a path in a folder that can be written to`;
    announce({ level: 'warn', service: null, event: 'no-control', text });
    return http;
  }
  const { serve } = await import('../control/server.ts');
  const serving = await serve(source, FD.control, isShort);
  const occupied = handover.looked.find(({ why }) => why === WHY.occupied);
  if (occupied !== undefined) {
    const text = `another supervisor answers at ${occupied.path}; to connect to this one, set SVC_SUPER_SOCKET=${handover.socket}`;
    announce({ level: 'warn', service: null, event: 'second-supervisor', text });
  }
  return {
    close() {
      serving.close();
      http?.close();
    },
  };
}

function makeSource(
  { engine, executor, reload, scale, checkpoint }: Core,
  { request, link, logs, journal, runs, gpus }: Parts,
): ApiSource {
  const { version, handover, clock } = request;
  return makeApiSource({
    ...{ version, clock, engine, executor, logs, journal, runs, gpus, reload, scale, checkpoint },
    ...{ pid: handover.pid1, page: handover.page, children: link.children, history: checkpoint.own.history },
  });
}

async function openHttp(
  control: ControlPlan,
  source: ApiSource,
  { executor }: Core,
  { request: { clock }, link, logs, announce }: Parts,
  isShort: () => boolean,
): Promise<Closable | null> {
  const { serveTcp } = await import('../control/tcp.ts');
  const started_at = (clock.wall() - process.uptime() * 1_000) / 1_000;
  const counters = () => {
    const { probes, cleanedUp } = executor.counts;
    const { user, system } = process.cpuUsage();
    return {
      bounds: BOUNDS,
      probes: new Map([...probes].map(([name, counts]) => [name, [...counts.values()]])),
      cleanedUp,
      logs: logs.counts,
      reaped: link.reaped,
      self: {
        memory_bytes: process.memoryUsage.rss(),
        cpu_seconds: (user + system) / 1e6,
        started_at,
        timers: clock.armed,
      },
    };
  };
  const listening = await serveTcp({
    plan: control,
    source,
    counters,
    after: (ms, fn) => clock.after(ms, fn),
    isShort,
  });
  const where = control.host.includes(':') ? `[${control.host}]` : control.host;
  if (listening.ok) {
    const text = `the control API and the dashboard are at http://${where}:${control.port}/`;
    announce({ level: 'info', service: null, event: 'control', text });
    return listening;
  }
  const text = `the control API is not available at http://${where}:${control.port}/: ${listening.reason}`;
  announce({ level: 'error', service: null, event: 'no-control', text });
  return null;
}
