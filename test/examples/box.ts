// An example in the likeness of a container: the paths, ports and environment of its image in a root, a network and
// process numbers of its own, with svc-super as PID 1. What the image would have installed is there as stand-ins, or as
// this machine's own programs; whatever is written goes into memory and is gone with it. Asks over HTTP from outside.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  BINARY,
  launch,
  missing,
  notRoot,
  openFolder,
  ROOT,
  type Stack,
  SUPERVISOR,
  skipWhen,
  until,
} from './stack.ts';

/** For `describe.skipIf`: whether there can be no box here. On a CI machine that is a failure. */
export const skipBoxes = (what: string, ...more: (string | null)[]): boolean =>
  skipWhen([missing('unshare'), missing('nsenter'), missing('ip'), notRoot, ...more], what);

export interface BoxPlan {
  /** Folder below examples/ whose services.yaml is the image's /etc/svc-super/services.yaml. */
  readonly example: string;
  /** Path of a program in the image: which stand-in it is. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Path in the image: what is in the file. */
  readonly files?: Readonly<Record<string, string>>;
  /** Folders that the image has. */
  readonly folders?: readonly string[];
  /** As `docker run -e`. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is run in place of svc-super. */
  readonly entrypoint?: readonly string[];
  /** As `USER` in the Dockerfile: a number. Otherwise root. */
  readonly user?: number;
  /** As Apptainer runs it: read-only, without privileges, among the machine's own processes and in its network. */
  readonly apptainer?: boolean;
  /** How many GPUs it has been given, as device files. */
  readonly gpus?: number;
}

export interface Ended {
  readonly code: number;
  readonly output: string;
}

export interface Box extends Stack {
  /** As if from outside, through a published port: `http://127.0.0.1:8000/health`. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** The status of the answer, or "closed". */
  status(url: string): Promise<number | 'closed'>;
  /** Its /tmp, as a folder here. */
  readonly tmp: string;
  /** A command inside, as `docker exec` runs it. */
  exec(...command: string[]): Promise<Ended>;
  /** A command of this machine that reaches the box by its ports alone. */
  reach(...command: string[]): Promise<Ended>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

// Its own /dev, because a device file must not be made in that of this machine.
const ENTER = `
set -e
mount -t tmpfs box "$BOX"
mkdir "$BOX/upper" "$BOX/work" "$BOX/root"
cp -a "$STAGE/." "$BOX/upper/"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BOX/upper,workdir=$BOX/work" "$BOX/root"
cd "$BOX/root"
if [ "$PROC" = own ]; then mount -t proc proc proc; else mount --rbind /proc proc; fi
mount -t tmpfs -o mode=755 dev dev
for name in null zero full random urandom tty; do : > dev/$name; mount --bind /dev/$name dev/$name; done
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
gpu=0
while [ $gpu -lt $GPUS ]; do mknod -m 666 dev/nvidia$gpu c 195 $gpu; gpu=$((gpu + 1)); done
mount --bind "$TMP" tmp
mount -t tmpfs -o mode=755 run run
mkdir -p ".$ROOT"
mount --bind "$ROOT" ".$ROOT"
mount --bind "$BUN" usr/local/bin/bun
mount --bind "$BINARY" usr/local/bin/svc-super
mount --bind "$SUPERVISOR" usr/local/bin/svc-super-supervisor
if [ "$PROC" = own ]; then ip link set lo up; else mount -o remount,ro "$BOX/root"; fi
exec chroot . "$@"
`;

function write(stage: string, path: string, text: string, mode: number): void {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

async function run(command: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: out + err };
}

/** `docker run IMAGE [ARG…]`. */
export async function startBox(plan: BoxPlan, ...args: string[]): Promise<Box> {
  const folder = await openFolder();
  const stage = join(folder, 'stage');
  for (const path of ['root', ...(plan.folders ?? [])]) mkdirSync(join(stage, path), { recursive: true });
  for (const name of ['bun', 'svc-super', 'svc-super-supervisor']) write(stage, `usr/local/bin/${name}`, '', 0o755);
  for (const [path, text] of Object.entries(plan.files ?? {})) write(stage, path, text, 0o644);
  const services = await Bun.file(join(ROOT, 'examples', plan.example, 'services.yaml')).text();
  write(stage, 'etc/svc-super/services.yaml', services, 0o644);
  for (const [path, name] of Object.entries(plan.programs ?? {})) {
    const script = join(ROOT, 'test/examples/stand-ins', `${name}.ts`);
    write(stage, path, `#!/bin/sh\nexec /usr/local/bin/bun ${script} "$@"\n`, 0o755);
  }
  mkdirSync(join(folder, 'box'));
  const tmp = join(folder, 'tmp');
  mkdirSync(tmp);
  chmodSync(tmp, 0o1777);
  const { user } = plan;
  const setuser = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  if (plan.apptainer) setuser.push('--no-new-privs', '--bounding-set=-all', '--inh-caps=-all');
  // A busy machine may need longer than the nine seconds of people's containers.
  const variables = { PATH, HOME: user === undefined ? '/root' : '/tmp', STOP_TIMEOUT: '100s', ...plan.env };
  // As the container's user, with the container's environment.
  const as = [...setuser, 'env', '-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  const init = !plan.apptainer;
  const namespaces = init ? ['--pid', '--fork', '--ipc', '--uts', '--net', '--mount', '--kill-child'] : ['--mount'];
  const enter = ['sh', '-c', ENTER, 'box', ...as, ...(plan.entrypoint ?? ['/usr/local/bin/svc-super']), ...args];
  const entered = init ? ['--pid', '--net', '--mount', '--root'] : ['--mount', '--root'];
  const inside = (pid: number): string[] => ['nsenter', '--target', `${pid}`, ...entered];

  const stack = await launch(['unshare', ...namespaces, ...enter], {
    env: {
      PATH: process.env.PATH,
      BOX: join(folder, 'box'),
      STAGE: stage,
      ROOT,
      BINARY,
      SUPERVISOR,
      BUN: process.execPath,
      TMP: tmp,
      PROC: init ? 'own' : 'of the machine',
      GPUS: `${plan.gpus ?? 0}`,
    },
    init,
    beside: (pid) => [...inside(pid), ...as],
    dispose: () => rm(folder, { recursive: true, force: true }),
  });
  const socket = join(folder, 'relay.sock');
  const relay = Bun.spawn(
    ['nsenter', '--target', `${stack.pid}`, '--net', process.execPath, join(import.meta.dir, 'relay.ts'), socket],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' },
  );
  const request = (url: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url, { ...init, unix: socket, keepalive: false, redirect: 'manual' });
  const box: Box = {
    ...stack,
    tmp,
    fetch: request,
    async status(url) {
      try {
        const { status } = await request(url);
        return status === RELAY_CLOSED ? 'closed' : status;
      } catch {
        return 'closed';
      }
    },
    exec: (...command) => run([...inside(stack.pid), ...as, ...command]),
    reach: (...command) => run(['nsenter', '--target', `${stack.pid}`, '--net', ...command]),
    async [Symbol.asyncDispose]() {
      relay.kill();
      await relay.exited;
      await stack[Symbol.asyncDispose]();
    },
  };
  return box;
}

/** What the relay answers where nobody listens. */
const RELAY_CLOSED = 599;

/** Waits until `svc-super health` in the box says yes: what `docker ps` shows as healthy. */
export async function healthy(box: Box): Promise<void> {
  let ended = false;
  box.exitCode.then(() => {
    ended = true;
  });
  const why = await until(
    'the box to be healthy',
    async () => {
      if (ended) return 'it has ended';
      const { code, output } = await box.command('health');
      if (code !== 0) throw new Error(`${output}\n${box.output()}`);
      return 'healthy';
    },
    100,
  );
  if (why !== 'healthy') throw new Error(`${why}:\n${box.output()}`);
}
