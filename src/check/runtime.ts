// `check --runtime`: inspects the machine for a plan: users, rights, commands, folders, ports, GPUs and their memory,
// /dev/shm. Each check returns findings. Starts nothing, and requests nothing from a supervisor.
import { absolute } from '../linux/files.ts';
import type { GpuReader } from '../linux/gpu-memory.ts';
import { readProcess } from '../linux/processes.ts';
import { whyNotEntered } from '../linux/reach.ts';
import { whyNotLimit, whyNotNice, whyNotOomScore, whyNotProcessors, whyNotUser } from '../linux/rights.ts';
import { readSharedMemory } from '../linux/shared-memory.ts';
import { inspectLogFile } from '../linux/writable.ts';
import { logFilesOf } from '../plan/logging.ts';
import type { GpuPlan, Plan, ServicePlan } from '../plan/plan.ts';
import { renderSize } from '../text.ts';
import type { PreflightFinding } from './finding.ts';
import { checkMemory, gpuServices } from './gpus.ts';
import { checkCommand, commandsOf } from './programs.ts';
import { judgeSharedMemory } from './shared-memory.ts';

/** All findings about the enabled services, in the order in which they are shown. `readGpus` is called only if one has a GPU. */
export async function inspect(
  plan: Plan,
  readGpus: () => GpuReader,
  portOwner: PortOwner,
): Promise<readonly PreflightFinding[]> {
  const enabled = plan.services.filter((service) => service.enabled);
  const gpus = gpuServices(plan);
  return [
    ...enabled.flatMap(checkUser),
    ...enabled.flatMap(checkRights),
    ...checkCgroup(enabled),
    ...commandsOf(plan).flatMap(checkCommand),
    ...enabled.flatMap(checkFolders),
    ...enabled.flatMap((service) => checkPorts(service, portOwner)),
    ...gpus.map(({ name, gpus: { devices, shared } }): PreflightFinding => {
      const text = `${devices.length === 1 ? 'GPU' : 'GPUs'} ${devices.map(describeDevice).join(', ')}`;
      return { service: name, check: 'gpu', verdict: 'ok', text: shared ? `${text}, shared` : text };
    }),
    judgeSharedMemory(readSharedMemory(), gpus.length > 0),
    ...(gpus.length === 0 ? [] : await checkMemory(gpus, readGpus())),
  ];
}

const describeDevice = ({ id, name }: GpuPlan['devices'][number]) => `${id} (${name})`;

function checkUser({ name, attributes: { user } }: ServicePlan): PreflightFinding[] {
  if (user === null) return [];
  const text =
    user.name === null ? `uid ${user.uid}, which has no name in this image` : `user ${user.name} (uid ${user.uid})`;
  const why = whyNotUser(user.uid, user.gid);
  if (why === null) return [{ service: name, check: 'user', verdict: 'ok', text }];
  const help = 'start the container as root with these rights, or leave `user` out';
  return [{ service: name, check: 'user', verdict: 'wrong', text: `cannot become ${text}: ${why}`, help }];
}

/** What to write in the fields for which a lower value does not help. */
const OTHER_REQUESTS: Readonly<Record<string, string>> = {
  cpus: 'name one of these processors',
  nice: 'write a higher value',
  oom_score_adj: 'write a higher value',
};

/** A finding for each limit and priority that PID 1 may not set. */
function checkRights({ name, attributes }: ServicePlan): PreflightFinding[] {
  const { limits, nice, oomScoreAdj, cpus } = attributes;
  const refused: (readonly [field: string, why: string | null])[] = [
    ...Object.entries(limits).map(([limit, { hard }]) => [`limits.${limit}`, whyNotLimit(limit, hard)] as const),
    ['cpus', cpus === null ? null : whyNotProcessors(cpus)],
    ['nice', nice === null ? null : whyNotNice(nice)],
    ['oom_score_adj', oomScoreAdj === null ? null : whyNotOomScore(oomScoreAdj)],
  ];
  return refused.flatMap(([field, why]) => {
    if (why === null) return [];
    const ask = OTHER_REQUESTS[field] ?? 'write a lower value';
    const help = `${ask}, or give the container that right (\`docker run --ulimit\`, \`--cap-add\`)`;
    return [{ service: name, check: 'limit', verdict: 'wrong', text: `cannot set ${field}: ${why}`, help }];
  });
}

/** Whether the kernel can limit the memory of services that have a `memory_limit`. */
function checkCgroup(services: readonly ServicePlan[]): PreflightFinding[] {
  const limited = services.filter(({ attributes }) => attributes.memory !== null);
  if (limited.length === 0) return [];
  // Loaded late: few configurations have a limit.
  const { whyNoCgroup } = require('../linux/memory-cgroup.ts') as typeof import('../linux/memory-cgroup.ts');
  const why = whyNoCgroup();
  return limited.map(({ name, attributes: { memory } }): PreflightFinding => {
    const size = renderSize(memory?.bytes ?? 0);
    const found = { service: name, check: 'memory', verdict: 'ok', text: `memory_limit ${size}` } as const;
    if (why === null) return found;
    const text = `memory_limit ${size} cannot be enforced by the kernel: ${why}`;
    const help =
      'give the container a cgroup that it may write (`podman run --systemd=always`, a privileged container); without one, svc-super watches the memory as for `max_memory`';
    return { ...found, verdict: 'wrong', text, help };
  });
}

function checkFolders({ name, cwd, attributes, log }: ServicePlan): PreflightFinding[] {
  const folders: PreflightFinding[] = [];
  const add = (path: string, what: string, why: string | null, help: string) => {
    const ok = why === null;
    const text = ok ? `${what} ${path}` : `${what} ${path}: ${why}`;
    folders.push({ service: name, check: 'folder', verdict: ok ? 'ok' : 'wrong', text, ...(!ok && { help }) });
  };
  if (cwd !== null) {
    const why = whyNotEntered(cwd, attributes.user);
    add(why === null ? absolute(cwd) : cwd, 'works in', why, 'create it in the image, or mount it');
  }
  for (const [, path] of logFilesOf(log)) {
    const { at, why } = inspectLogFile(path);
    const help =
      at === path
        ? 'name a file that svc-super may write or create'
        : 'mount a volume there, or permit svc-super to write there';
    add(at, 'writes its log to', why, help);
  }
  return folders;
}

/** Finds the process that listens on a port; null: none. `service`: the running service to which it belongs; null: none, or unknown. */
type PortOwner = (port: number) => { readonly text: string; readonly service: string | null } | null;

function checkPorts({ name, ports }: ServicePlan, portOwner: PortOwner): PreflightFinding[] {
  return ports.map((port): PreflightFinding => {
    const about = { service: name, check: 'port' } as const;
    const owner = portOwner(port);
    if (owner === null) return { ...about, verdict: 'ok', text: `port ${port} is free` };
    if (owner.service === name)
      return { ...about, verdict: 'ok', text: `port ${port} is held by the service itself, which runs: ${owner.text}` };
    const whose = owner.service === null ? '' : ` of the running service ${owner.service}`;
    const help = 'stop that process, or give the service another port';
    return { ...about, verdict: 'wrong', text: `port ${port} is taken by ${owner.text}${whose}`, help };
  });
}

/** The services of this container's supervisor, as it reports them. */
type RunningServices = readonly { readonly name: string; readonly pid: number | null }[];

/**
 * The service to which a process belongs; null: none. Each run has a session of its own; a process that has left it is found by an
 * ancestor.
 */
export function ownerOf(pid: number, running: RunningServices): string | null {
  const mains = new Map(running.flatMap(({ name, pid: main }) => (main === null ? [] : [[main, name] as const])));
  let at = pid;
  for (let found = readProcess(at); found !== null && at > 1; found = readProcess(at)) {
    const owner = mains.get(at) ?? mains.get(found.session);
    if (owner !== undefined) return owner;
    at = found.parent;
  }
  return null;
}
