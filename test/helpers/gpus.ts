// A machine with GPUs for a run of the rig: device files in a /dev of its own, and an nvidia-smi on PATH that says what the
// test wants. Lines of shell that run inside the run's namespaces; nothing outside is touched.

/** Makes `/dev` hold the usual files and so many of NVIDIA's. The run's folder comes first on PATH. */
export function devices(count: number): string {
  return `
    mount -t tmpfs -o mode=755 none /mnt && mkdir -m 1777 /mnt/shm
    for name in null zero full random urandom tty; do touch /mnt/$name && mount --bind /dev/$name /mnt/$name; done
    ln -s /proc/self/fd /mnt/fd
    i=0; while [ $i -lt ${count} ]; do touch /mnt/nvidia$i; i=$((i + 1)); done
    mount --rbind /mnt /dev
    for tool in "$PWD"/nvidia-smi; do [ -e "$tool" ] && chmod 755 "$tool"; done
    export PATH="$PWD:$PATH"`;
}

/** An nvidia-smi of devices with so many MiB used and in all. */
export function smi(...memory: readonly (readonly [used: number, total: number])[]): string {
  const rows = memory.map(([used, total], index) => `echo "${index}, GPU-${index}, ${used}, ${total}"`);
  return `#!/bin/sh\n${rows.join('\n')}\n`;
}

/** What a driver says that has lost its devices. */
export const LOST = '#!/bin/sh\necho "Failed to initialize NVML: Unknown Error"\nexit 255\n';

/** One device of 24 GiB, of which 20 are in use for as many looks as the file `held` in the run's tmp says. */
export const HELD = `#!/bin/sh
cd "$(dirname "$0")/tmp"
used=100
if [ -e held ]; then
  looks=$(($(cat held) - 1))
  used=20000
  if [ $looks -gt 0 ]; then echo $looks >held; else rm held; fi
fi
echo "0, GPU-0, $used, 24576"
`;
