// Checks the machine before a start. Each check returns findings: one line with a verdict and, if it failed, the fix.
// `check --runtime` shows all findings; `up` uses the checks that prevent a start. Starts no service. Part of the root.

import type { Finding } from '../cli/preflight.ts';
import { inspectProgram } from '../linux/executable.ts';
import { absolute, exists } from '../linux/files.ts';
import type { GpuReader } from '../linux/gpu-memory.ts';
import { credentialsOf, executedProgram, whyNoShell } from '../linux/launch.ts';
import { readProcess } from '../linux/processes.ts';
import { whyNotEntered } from '../linux/reach.ts';
import { whyNotLimit, whyNotNice, whyNotOomScore, whyNotProcessors, whyNotUser } from '../linux/rights.ts';
import { readSharedMemory } from '../linux/shared-memory.ts';
import { inspectLogFile } from '../linux/writable.ts';
import { resolve } from '../paths.ts';
import type { GpuReading } from '../plan/gpu-reading.ts';
import type { GpuPlan, Plan, Probe, ServicePlan } from '../plan/plan.ts';
import { judgeSharedMemory } from './shared-memory.ts';

/** EX_TEMPFAIL of sysexits.h: a temporary failure. The container must be restarted. */
const DRIVER_LOST = 75;
const CONFIG_WRONG = 78;
type GpuService = ServicePlan & { readonly gpus: GpuPlan };

/** The enabled services that have a GPU. */
function gpuServices(plan: Plan): readonly GpuService[] {
  return plan.services.filter(
    (service): service is GpuService => service.enabled && service.gpus !== null && service.gpus.devices.length > 0,
  );
}

/** All findings, in the order in which they are shown. */
export async function inspect(
  plan: Plan,
  readGpus: () => GpuReader,
  portOwner: PortOwner,
): Promise<readonly Finding[]> {
  const running = plan.services.filter(({ enabled }) => enabled);
  const gpus = gpuServices(plan);
  const isAfterTask = findAfterTasks(plan);
  return [
    ...running.flatMap(checkUser),
    ...running.flatMap(checkRights),
    ...running.flatMap((service) =>
      allCommands(service, isAfterTask(service)).flatMap((one) => checkCommand(service, one)),
    ),
    ...running.flatMap(checkFolders),
    ...running.flatMap((service) => checkPorts(service, portOwner)),
    ...gpus.map(({ name, gpus: { devices, shared } }): Finding => {
      const text = `${devices.length === 1 ? 'GPU' : 'GPUs'} ${devices.map(describeDevice).join(', ')}`;
      return { service: name, check: 'gpu', verdict: 'ok', text: shared ? `${text}, shared` : text };
    }),
    judgeSharedMemory(readSharedMemory(), gpus.length > 0),
    ...(gpus.length === 0 ? [] : await checkMemory(gpus, readGpus())),
  ];
}

const describeDevice = ({ id, name }: GpuPlan['devices'][number]) => `${id} (${name})`;

function checkUser({ name, user }: ServicePlan): Finding[] {
  if (user === null) return [];
  const text =
    user.name === null ? `uid ${user.uid}, which has no name in this image` : `user ${user.name} (uid ${user.uid})`;
  const why = whyNotUser(user.uid, user.gid);
  if (why === null) return [{ service: name, check: 'user', verdict: 'ok', text }];
  const help = 'start the container as root with these rights, or leave `user` out';
  return [{ service: name, check: 'user', verdict: 'wrong', text: `cannot become ${text}: ${why}`, help }];
}

/** Limits and priorities that PID 1 may not set. Those that it may set have no finding. */
function checkRights({ name, limits, nice, oomScoreAdj, cpus }: ServicePlan): Finding[] {
  const refused: (readonly [field: string, why: string | null])[] = [
    ...Object.entries(limits).map(([limit, { hard }]) => [`limits.${limit}`, whyNotLimit(limit, hard)] as const),
    ['cpus', cpus === null ? null : whyNotProcessors(cpus)],
    ['nice', nice === null ? null : whyNotNice(nice)],
    ['oom_score_adj', oomScoreAdj === null ? null : whyNotOomScore(oomScoreAdj)],
  ];
  return refused.flatMap(([field, why]) => {
    if (why === null) return [];
    const help = 'ask for less, or give the container that right (`docker run --ulimit`, `--cap-add`)';
    return [{ service: name, check: 'limit', verdict: 'wrong', text: `cannot set ${field}: ${why}`, help }];
  });
}

/** A command of a service. */
interface CommandToCheck {
  /** The field of the command; null: the command of the service itself. */
  readonly field: string | null;
  readonly argv: readonly string[];
  /** What may install the program before the command runs; null: the program must be installed already. */
  readonly installer: 'a task or hook before it' | 'the service' | null;
}

/** Whether a service waits for a task. A list of edges that several services share is searched once. */
function findAfterTasks({ services }: Plan): (service: ServicePlan) => boolean {
  const tasks = new Set(services.flatMap(({ name, type }) => (type === 'task' ? [name] : [])));
  const known = new Map<ServicePlan['edges'], boolean>();
  const leadsToTask = (edges: ServicePlan['edges']): boolean => {
    const found = known.get(edges) ?? edges.some(({ on }) => tasks.has(on));
    known.set(edges, found);
    return found;
  };
  return ({ edges, stageEdges }) => leadsToTask(edges) || leadsToTask(stageEdges);
}

/** The commands without which the service cannot start. */
function commandsToStart({ argv, hooks: { beforeStart } }: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  const before = afterTask ? 'a task or hook before it' : null;
  const installer = beforeStart === null ? before : 'a task or hook before it';
  const own: CommandToCheck = { field: null, argv, installer };
  return beforeStart === null ? [own] : [{ field: 'before_start', argv: beforeStart.argv, installer: before }, own];
}

/** The commands that run after the service has started. */
function laterCommands(service: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  const { argv, hooks, ready, live, stop } = service;
  const before = commandsToStart(service, afterTask).at(-1)?.installer ?? null;
  const installer = before ?? (executedProgram(argv) === null ? 'the service' : null);
  const drain = hooks.beforeStop !== null && 'waitFor' in hooks.beforeStop ? [hooks.beforeStop.waitFor] : [];
  const given = (field: string, one: readonly string[] | null | undefined) =>
    one === null || one === undefined ? [] : [{ field, argv: one, installer }];
  const probed = (field: string, probes: readonly Probe[]) =>
    probes.flatMap((probe) => (probe.kind === 'exec' ? given(field, probe.argv) : []));
  return [
    ...probed('ready', ready),
    ...given('after_ready', hooks.afterReady?.argv),
    ...probed('live', live),
    ...given('before_stop', hooks.beforeStop !== null && 'argv' in hooks.beforeStop ? hooks.beforeStop.argv : null),
    ...probed('before_stop', drain),
    ...given('stop.command', stop.argv),
    ...given('after_exit', hooks.afterExit?.argv),
  ];
}

function allCommands(service: ServicePlan, afterTask: boolean): readonly CommandToCheck[] {
  return [...commandsToStart(service, afterTask), ...laterCommands(service, afterTask)];
}

function checkCommand({ name, env, cwd, user }: ServicePlan, { field, argv, installer }: CommandToCheck): Finding[] {
  const prefix = field === null ? '' : `${field}: `;
  const about = { service: name, check: 'command' } as const;
  const shell = whyNoShell(argv);
  if (shell !== null)
    return [{ ...about, verdict: 'wrong', text: `${prefix}cannot execute /bin/sh: ${shell.why}`, help: shell.fix }];
  const program = executedProgram(argv);
  if (program === null) return [];
  const found = inspectProgram(program, { env, cwd, credentials: credentialsOf(user) });
  if (found.ok) return [{ ...about, verdict: 'ok', text: `${prefix}${found.path}` }];
  const missing =
    installer === null
      ? `install it, or name it with its path; its PATH is ${env.PATH ?? 'not set'}`
      : `make sure that ${installer} installs it`;
  const help = found.fix ?? missing;
  const verdict = installer === null ? 'wrong' : 'doubtful';
  return [{ ...about, verdict, text: `${prefix}cannot execute ${program}: ${found.why}`, help }];
}

/**
 * Checks the programs of an image that is being built. Ignores programs that a task, a hook or the service may install, and
 * paths that do not exist, because a volume may be mounted there.
 */
export function inspectBuild(plan: Plan): readonly Finding[] {
  const isAfterTask = findAfterTasks(plan);
  return plan.services
    .filter(({ enabled }) => enabled)
    .flatMap((service) =>
      allCommands(service, isAfterTask(service))
        .filter(({ argv }) => !isElsewhere(executedProgram(argv) ?? '', service))
        .flatMap((one) => checkCommand(service, one)),
    )
    .filter(({ verdict }) => verdict === 'wrong');
}

const isElsewhere = (program: string, { cwd }: ServicePlan): boolean =>
  program.includes('/') && !exists(resolve(absolute(cwd ?? '.'), program));

function checkFolders({ name, cwd, user, log }: ServicePlan): Finding[] {
  const folders: Finding[] = [];
  const add = (path: string, what: string, why: string | null, help: string) => {
    const ok = why === null;
    const text = ok ? `${what} ${path}` : `${what} ${path}: ${why}`;
    folders.push({ service: name, check: 'folder', verdict: ok ? 'ok' : 'wrong', text, ...(!ok && { help }) });
  };
  if (cwd !== null)
    add(cwd, 'works in', whyNotEntered(cwd, credentialsOf(user)), 'create it in the image, or mount it');
  if (log.file !== null) {
    const { at, why } = inspectLogFile(log.file.path);
    const help =
      at === log.file.path
        ? 'name a file that svc-super may write or create'
        : 'mount a volume there, or permit svc-super to write there';
    add(at, 'writes its log to', why, help);
  }
  return folders;
}

/** The process that listens on a port. `service`: the running service that it belongs to; null: none, or not known. */
type PortOwner = (port: number) => { readonly text: string; readonly service: string | null } | null;

function checkPorts({ name, ports }: ServicePlan, portOwner: PortOwner): Finding[] {
  return ports.map((port): Finding => {
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

/** The service that a process belongs to, found by its session, which is that of one run, or by an ancestor. */
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

/** Reads all devices of these services with one query of the driver. */
function readAll(
  services: readonly GpuService[],
  readGpus: GpuReader,
  holders: boolean,
  abort = new AbortController().signal,
): Promise<GpuReading> {
  const [{ gpus: first } = { gpus: null }] = services;
  if (first === null) return Promise.resolve({ kind: 'memory', devices: [], holders: [] });
  return readGpus({ ...first, devices: allDevices(services) }, { holders }, abort);
}

function allDevices(services: readonly GpuService[]): GpuPlan['devices'] {
  const devices = new Map(services.flatMap(({ gpus }) => gpus.devices.map((device) => [device.id, device] as const)));
  return [...devices.values()];
}

/** The state of the driver, and whether each service has the memory that `min_free` demands. */
async function checkMemory(services: readonly GpuService[], readGpus: GpuReader): Promise<Finding[]> {
  const reading = await readAll(services, readGpus, true);
  if (reading.kind === 'lost') {
    const help =
      'restart the container, because a restart of the service does not help; then check the host (nvidia-smi, dmesg)';
    return [
      { service: null, check: 'driver', verdict: 'wrong', text: `the driver does not answer: ${reading.why}`, help },
    ];
  }
  const demanding = services.filter(({ gpus }) => gpus.minFree !== null);
  if (reading.kind === 'unreadable') {
    const text = `memory of the GPUs cannot be read: ${reading.why}`;
    const help = demanding.length === 0 ? {} : { help: '`min_free` is not checked, and no run waits for memory' };
    return [{ service: null, check: 'driver', verdict: 'doubtful', text, ...help }];
  }
  const devices = allDevices(services);
  const shown = reading.devices.map(({ used, total }, at) => {
    return `GPU ${devices[at]?.id} has ${toGib(total - used)} of ${toGib(total)} free`;
  });
  const driver: Finding = {
    service: null,
    check: 'driver',
    verdict: 'ok',
    text: `the driver answers: ${shown.join(', ')}`,
  };
  return [driver, ...demanding.map((service) => judgeMemory(service, devices, reading))];
}

function judgeMemory({ name, gpus }: GpuService, devices: GpuPlan['devices'], reading: GpuReading): Finding {
  const minFree = gpus.minFree ?? 0;
  const short = gpus.devices.flatMap(({ id }) => {
    const at = devices.findIndex((device) => device.id === id);
    const memory = reading.kind === 'memory' ? reading.devices[at] : undefined;
    return memory === undefined || memory.total - memory.used >= minFree ? [] : [{ id, ...memory }];
  });
  const [first] = short;
  if (first === undefined) {
    return { service: name, check: 'memory', verdict: 'ok', text: `${toGib(minFree)} are free on each of its GPUs` };
  }
  const free = `GPU ${first.id} has ${toGib(first.total - first.used)} of ${toGib(first.total)} free`;
  const text = `needs ${toGib(minFree)} (\`min_free\`), but ${free}`;
  const holders = reading.kind === 'memory' ? reading.holders : [];
  const named = holders.slice(0, 5).map(({ pid, name: program }) => `pid ${pid} (${program})`);
  const help =
    first.total < minFree
      ? 'it needs a larger GPU'
      : named.length === 0
        ? 'no process of this container has it open: check other containers and the host'
        : `open in ${named.join(', ')}`;
  return { service: name, check: 'memory', verdict: 'wrong', text, help };
}

/** `130.2 GiB`. */
function toGib(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${Number(gib.toFixed(1))} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

/** Why a start is refused, and the exit code. */
interface StartRefusal {
  readonly text: string;
  readonly code: number;
}

/**
 * Refuses a start if the driver does not answer, or if a device is smaller than `min_free`; null: the start is possible.
 * Memory that is in use now may become free: each run waits for that (core/memory-wait.ts).
 */
export async function refuseGpus(plan: Plan, readGpus: GpuReader, abort: AbortSignal): Promise<StartRefusal | null> {
  const services = gpuServices(plan);
  const reading = await readAll(services, readGpus, false, abort);
  if (reading.kind === 'unreadable') return null;
  if (reading.kind === 'lost') {
    // `on_lost: restart` applies to this start too.
    if (services.every(({ gpus }) => gpus.onLost === 'restart')) return null;
    const why = 'restart the container, because a restart of the service does not help';
    return { text: `the GPU driver does not answer (${reading.why}): ${why}`, code: DRIVER_LOST };
  }
  const devices = allDevices(services);
  for (const { name, gpus } of services) {
    for (const { id } of gpus.devices) {
      const { total } = reading.devices[devices.findIndex((device) => device.id === id)] ?? { total: Infinity };
      if (gpus.minFree === null || total >= gpus.minFree) continue;
      const text = `${name} needs ${toGib(gpus.minFree)} (\`min_free\`), and GPU ${id} has ${toGib(total)} in all`;
      return { text, code: CONFIG_WRONG };
    }
  }
  return null;
}

/**
 * Finds missing programs of services that start later, unless a task or a hook may install them. Yields null after each
 * service, so that the caller can yield to the event loop. A program that several services execute is inspected once.
 */
export function* findMissingPrograms(plan: Plan): Generator<Missing | null> {
  const isAfterTask = findAfterTasks(plan);
  const known = new Map<string, Finding[]>();
  for (const service of plan.services) {
    // A service that starts at once reports the failure itself.
    if (!service.enabled || service.edges.length + service.stageEdges.length === 0) continue;
    const { env, cwd, user } = service;
    for (const one of commandsToStart(service, isAfterTask(service))) {
      const key = JSON.stringify([
        one.field,
        one.installer,
        executedProgram(one.argv),
        one.argv[0],
        env.PATH,
        cwd,
        user,
      ]);
      const found = known.get(key) ?? checkCommand(service, one);
      known.set(key, found);
      for (const { verdict, text } of found)
        if (verdict === 'wrong') yield { service: service.name, text: `will fail to start: ${text}` };
    }
    yield null;
  }
}

interface Missing {
  readonly service: string;
  readonly text: string;
}
