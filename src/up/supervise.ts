// The two ways to begin supervising: up() at a first start, continueAsSuccessor() after the previous supervisor has died. Connects
// the parts of the process and decides nothing.
import { newWorld } from '../core/world.ts';
import { countOomKills } from '../linux/cgroup.ts';
import { releaseMemory, releaseMemoryLater } from '../platform/memory.ts';
import { fillPool } from '../platform/threads.ts';
import { realRandom } from '../ports.ts';
import { reportBugs } from './announcer.ts';
import { FIRST_OWN, readCheckpoint } from './checkpoint.ts';
import type { Prepared } from './configuration.ts';
import { type Core, makeCore } from './core.ts';
import { Link } from './link.ts';
import { watchMemory } from './memory-watch.ts';
import { openParts, type Parts, type UpRequest } from './parts.ts';
import { shutDown } from './shutdown.ts';
import { passSignals } from './signals.ts';
import { checkGpus, checkPorts, warnOfMissingPrograms, writePidFile } from './start-checks.ts';
import { adopt, historyAfter, takenOver } from './succession.ts';

/**
 * Supervises until all services have ended. Resolves only if a port is taken, to the exit code: in every other case PID 1 exits with
 * the container's code, which ends this process first.
 */
export async function up(request: UpRequest, { plan, doubts }: Prepared): Promise<number> {
  const { clock, names, level, pidFile } = request;
  const taken = checkPorts(request, plan);
  if (taken !== null) return taken;
  const seed = realRandom.seed();
  const link = new Link({ ...request, seed });
  await link.connect();
  link.sendStopRules(plan);
  const parts = await openParts(request, plan, link);
  const refusal = (await checkGpus(plan, parts)) ?? (await writePidFile(request));
  if (refusal !== null) return link.pid1.end(refusal);
  const core = makeCore(newWorld(plan, seed), parts, { ...FIRST_OWN, names, level, pidFile });
  reportBugs(parts.announce);
  for (const text of doubts) parts.announce({ level: 'warn', service: null, event: 'doubtful', text });
  parts.hostNames.set(plan);
  passSignals(link.signals, { ...core, clock, announce: parts.announce });
  core.engine.send({ type: 'began' });
  // PID 1 starts the first programs while this process loads the rest.
  link.pid1.flush();
  core.checkpoint.note({ oomBefore: countOomKills(), hosts: parts.hostNames.held });
  void warnOfMissingPrograms(plan, clock, parts.announce);
  return supervise(core, parts);
}

/**
 * Continues with the world and the runs of the previous supervisor, which has died, and with the events since then. Never
 * resolves.
 */
export async function continueAsSuccessor(given: UpRequest): Promise<number> {
  const { clock, handover } = given;
  const link = new Link({ ...given, seed: 0 });
  const inherited = link.pid1.inherit();
  await link.connect();
  const { records, runs } = await inherited;
  const kept = readCheckpoint(records, handover.environment);
  const { plan, seed } = kept.world;
  link.children.inherit(runs, seed);
  const parts = await openParts({ ...given, names: kept.own.names, level: kept.own.level }, plan, link);
  const own = { ...kept.own, history: historyAfter(kept.own.history, handover, clock.wall()) };
  const core = makeCore(kept.world, parts, own, records.keys());
  reportBugs(parts.announce);
  link.sendStopRules(plan);
  adopt(kept, core, parts);
  passSignals(link.signals, { ...core, clock, announce: parts.announce });
  core.engine.send(takenOver(handover, clock.now()));
  core.engine.resume(kept.postponed);
  link.pid1.resume();
  if (kept.own.isReloading) void core.reload('apply');
  if (kept.own.end !== null) core.end(kept.own.end);
  return supervise(core, parts);
}

/** Performs the rest of the start, after the first spawn, and waits until all services have ended. */
async function supervise(core: Core, parts: Parts): Promise<number> {
  await releaseMemory(parts.request.clock);
  fillPool(parts.request.clock);
  releaseMemoryLater(parts.request.clock);
  watchMemory(core, parts);
  const { openControl } = await import('./control.ts');
  const control = await openControl(core, parts);
  return shutDown(await core.ended, core, parts, control);
}
