// Measures each way to install svc-super: from `FROM debian` to a checked services.yaml. Prints a table; writes no file. Uses the
// files of dist/release (`npm run release`) and serves them from this machine: downloads are not in the figures. Needs root,
// buildah and mmdebstrap; npm and uv for their rows.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageName } from '../scripts/release/packages.ts';
import { findPlatform } from '../scripts/release/platforms.ts';
import { RELEASE } from '../scripts/release/stage.ts';
import { readVersion } from '../scripts/release/version.ts';
import { wheelOf } from '../scripts/release/wheels.ts';
import { haveBase } from '../test/helpers/container-image.ts';
import { Registry, UserFolder } from '../test/helpers/registry.ts';
import { HERE, serveFolder } from '../test/helpers/release.ts';
import { buildWith, PUBLISHED, pullImage, removeImages, unpackLayout } from '../test/helpers/release-image.ts';
import { findUv } from '../test/helpers/uv.ts';

const ROUNDS = 3;
const SERVICES = 'services: { web: { command: sleep 1000 } }\n';
const version = readVersion();
const platform = findPlatform(HERE);
const folder = mkdtempSync(join(tmpdir(), 'svc-super-ways-'));
const context = join(folder, 'context');
const tag = (name: string) => `localhost/svc-super-ways-${name}:${process.pid}`;
const archive = `svc-super-${version}-${platform.name}.tar.gz`;

/** One way: its name, the file that a user downloads, and what is measured. */
interface Way {
  readonly name: string;
  readonly file: string | null;
  readonly measure: () => Promise<void>;
}

const check = 'COPY services.yaml /etc/svc-super/services.yaml\nRUN svc-super check --build\n';

/** A way that is a Dockerfile: `line` installs svc-super on `base`. */
async function build(image: string, base: string, line: string): Promise<void> {
  const dockerfile = `FROM base\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n${line}\n${check}`;
  const { code, stdout, stderr } = await buildWith(image, dockerfile, tag('way'), {
    folder: context,
    images: { base },
  });
  await removeImages(tag('way'));
  if (code !== 0) throw new Error(`the build with \`${line}\` failed:\n${stdout}${stderr}`);
}

/** Debian with curl, for the installer. Making it is not measured. */
async function addCurl(base: string): Promise<string> {
  const line = 'RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends curl ca-certificates';
  const built = await buildWith(base, `FROM base\n${line}\n`, tag('curl'), { folder: context, images: { base } });
  if (built.code !== 0) throw new Error(`curl cannot be installed:\n${built.stderr}`);
  return tag('curl');
}

const filesIn = (name: string) => {
  const path = join(RELEASE, name);
  return existsSync(path) ? readdirSync(path).map((file) => join(path, file)) : [];
};

/** `npx svc-super check` in a fresh folder. */
async function useNpm(): Promise<void> {
  using registry = new Registry(filesIn('npm').filter((file) => file.endsWith('.tgz')));
  using user = new UserFolder({ npm_config_registry: registry.url, npm_config_audit: 'false' });
  writeFileSync(user.in('services.yaml'), SERVICES);
  await user.must('npm', 'install', 'svc-super');
  await user.must('npx', 'svc-super', 'check');
}

/** `uv pip install svc-super` into an environment that exists. */
async function useUv(): Promise<void> {
  using registry = new Registry([], filesIn('python'));
  using user = new UserFolder({ UV_DEFAULT_INDEX: `${registry.url}/simple`, UV_PYTHON_DOWNLOADS: 'never' });
  writeFileSync(user.in('services.yaml'), SERVICES);
  const uv = findUv() ?? '';
  await user.must(uv, 'venv', '--python', '/usr/bin/python3', 'venv');
  await user.must(uv, 'pip', 'install', '--python', 'venv', 'svc-super');
  await user.must(user.in('venv/bin/svc-super'), 'check');
}

async function listWays(base: string, image: string): Promise<readonly Way[]> {
  const curl = await addCurl(base);
  const deb = packageName(platform, version);
  for (const name of [archive, deb]) copyFileSync(join(RELEASE, name), join(context, name));
  const served = join(folder, 'served', `v${version}`);
  mkdirSync(served, { recursive: true });
  for (const name of [archive, 'SHA256SUMS', 'install.sh']) copyFileSync(join(RELEASE, name), join(served, name));
  const server = serveFolder(join(folder, 'served'));
  const install = `RUN curl -fsSL ${server.url}/v${version}/install.sh | sh -s -- --url ${server.url}`;
  const npm = filesIn('npm').find((file) => file.includes(`${platform.name}-${version}`)) ?? null;
  return [
    {
      name: `COPY --from=${PUBLISHED} / /`,
      file: null,
      measure: () => build(image, base, `COPY --from=${PUBLISHED} / /`),
    },
    { name: 'RUN curl … install.sh | sh', file: archive, measure: () => build(image, curl, install) },
    { name: `ADD ${archive} /`, file: archive, measure: () => build(image, base, `ADD ${archive} /`) },
    { name: `RUN dpkg -i ${deb}`, file: deb, measure: () => build(image, base, `COPY ${deb} /\nRUN dpkg -i /${deb}`) },
    { name: 'npm install svc-super, npx svc-super check', file: npm, measure: useNpm },
    { name: 'uv pip install svc-super', file: `python/${wheelOf(platform, version)}`, measure: useUv },
  ];
}

async function median(measure: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    await measure();
    times.push((performance.now() - from) / 1_000);
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

const megabytes = (file: string | null) =>
  file === null ? '' : `${(statSync(file.startsWith('/') ? file : join(RELEASE, file)).size / 1e6).toFixed(1)} MB`;

const image = await pullImage(await unpackLayout(RELEASE, folder), 'glibc');
try {
  mkdirSync(context);
  writeFileSync(join(context, 'services.yaml'), SERVICES);
  process.stdout.write(`| line | time | download |\n| --- | --- | --- |\n`);
  for (const { name, file, measure } of await listWays(await haveBase(), image))
    process.stdout.write(`| \`${name}\` | ${(await median(measure)).toFixed(1)} s | ${megabytes(file)} |\n`);
} finally {
  await removeImages(tag('way'), tag('curl'), image);
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
