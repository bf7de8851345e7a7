// The platforms of a release: their names, and what each is made of. A table; it reads and runs nothing.

/** One platform. `runtime` is the npm package of the runtime, `native` the name of the native program's architecture. */
export interface Platform {
  readonly name: string;
  readonly runtime: string;
  /** As `process.arch` has it; also `cpu` of npm packages. */
  readonly native: 'x64' | 'arm64';
  /** As `libc` of npm packages has it. */
  readonly libc: 'glibc' | 'musl';
  /** As container images and Go have it. */
  readonly oci: 'amd64' | 'arm64';
}

/** What images and system packages are made of. */
export interface ReleaseRequest {
  readonly platforms: readonly Platform[];
  /** The folder of the release, which has the trees. */
  readonly release: string;
  readonly version: string;
  /** Seconds since 1970: the time of the images, of the packages and of all files in them. */
  readonly date: number;
}

/** The x64 packages need no AVX2: the runtime has no separate baseline build (both packages are the same bytes). */
export const PLATFORMS: readonly Platform[] = [
  { name: 'linux-x64', runtime: '@oven/bun-linux-x64', native: 'x64', libc: 'glibc', oci: 'amd64' },
  { name: 'linux-arm64', runtime: '@oven/bun-linux-aarch64', native: 'arm64', libc: 'glibc', oci: 'arm64' },
  { name: 'linux-x64-musl', runtime: '@oven/bun-linux-x64-musl', native: 'x64', libc: 'musl', oci: 'amd64' },
  { name: 'linux-arm64-musl', runtime: '@oven/bun-linux-aarch64-musl', native: 'arm64', libc: 'musl', oci: 'arm64' },
];

/** The platform of that name. Throws if there is none. */
export function findPlatform(name: string): Platform {
  const found = PLATFORMS.find((platform) => platform.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no platform ${name}; there are ${PLATFORMS.map((platform) => platform.name).join(', ')}`);
}

/** The platform of a runtime's package. */
export function findByRuntime(name: string): Platform {
  const found = PLATFORMS.find((platform) => platform.runtime === name);
  if (found === undefined) throw new Error(`no platform has the runtime ${name}`);
  return found;
}
