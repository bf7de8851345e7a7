// A machine with GPUs for a run of the rig: device files in its own /dev, and an nvidia-smi on PATH with the output that the
// test requires. Lines of shell that run in the run's namespaces; nothing outside is changed.

/** Fills `/dev` with the usual files and this many NVIDIA devices. The run's folder comes first on PATH. */
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

/** An nvidia-smi of devices with the given used and total MiB. */
export function smi(...memory: readonly (readonly [used: number, total: number])[]): string {
  const rows = memory.map(([used, total], index) => `echo "${index}, GPU-${index}, ${used}, ${total}"`);
  return `#!/bin/sh\n${rows.join('\n')}\n`;
}

/** The output of a driver that has lost its devices. */
export const LOST = '#!/bin/sh\necho "Failed to initialize NVML: Unknown Error"\nexit 255\n';

/** One device of 24 GiB, of which 20 are in use for as many calls as the file `held` in the run's tmp contains. */
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
