// Makes the Python packages of a release: one wheel for each platform, with the programs as scripts, as uv and ruff do. The
// formats are those of packaging.python.org (binary distribution format, core metadata 2.4). Publishes nothing.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Packing } from './npm.ts';
import type { Platform } from './platforms.ts';
import { BIN, SHARE } from './stage.ts';
import { type Member, zip } from './zip.ts';

const ROOT = join(import.meta.dir, '../..');
const TEMPLATES = join(import.meta.dir, 'python');

/** The name of the distribution in file names. */
const NAME = 'svc_super';

/** Platform tags: the glibc build needs glibc 2.17 (PEP 600), the musl build musl 1.2 (PEP 656). */
const TAGS: Readonly<Record<Platform['libc'], (machine: string) => readonly string[]>> = {
  glibc: (machine) => [`manylinux_2_17_${machine}`, `manylinux2014_${machine}`],
  musl: (machine) => [`musllinux_1_2_${machine}`],
};
const MACHINES: Readonly<Record<Platform['native'], string>> = { x64: 'x86_64', arm64: 'aarch64' };

const tagsOf = (platform: Platform) => TAGS[platform.libc](MACHINES[platform.native]);

/** The file of a platform's wheel. */
export const wheelOf = (platform: Platform, version: string): string =>
  `${NAME}-${version}-py3-none-${tagsOf(platform).join('.')}.whl`;

const { description, repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  description: string;
  repository: { url: string };
};

function renderMetadata(version: string): string {
  const url = repository.url.replace(/^git\+|\.git$/g, '');
  const fields: readonly (readonly [string, string])[] = [
    ['Metadata-Version', '2.4'],
    ['Name', 'svc-super'],
    ['Version', version],
    ['Summary', description],
    ['License-Expression', 'MIT AND LGPL-2.0-or-later AND LGPL-2.1-only'],
    ['License-File', 'LICENSE'],
    ['License-File', 'THIRD_PARTY_LICENSES'],
    ['Keywords', 'container,docker,entrypoint,init,supervisor'],
    ['Classifier', 'Environment :: Console'],
    ['Classifier', 'Operating System :: POSIX :: Linux'],
    ['Classifier', 'Topic :: System :: Boot :: Init'],
    ['Requires-Python', '>=3.8'],
    ['Project-URL', `Repository, ${url}`],
    ['Project-URL', `Changelog, ${url}/blob/main/CHANGELOG.md`],
    ['Description-Content-Type', 'text/markdown'],
  ];
  const readme = readFileSync(join(TEMPLATES, 'README.md'), 'utf8');
  return `${fields.map(([name, value]) => `${name}: ${value}\n`).join('')}\n${readme}`;
}

const renderWheel = (tags: readonly string[]): string =>
  [
    'Wheel-Version: 1.0',
    'Generator: svc-super',
    'Root-Is-Purelib: false',
    ...tags.map((tag) => `Tag: py3-none-${tag}`),
    '',
  ].join('\n');

const text = (path: string, value: string): Member => ({ path, data: Buffer.from(value), mode: 0o644 });
const file = (path: string, from: string, mode = 0o644): Member => ({ path, data: readFileSync(from), mode });

function renderRecord(members: readonly Member[], own: string): string {
  const rows = members.map(({ path, data }) => {
    const digest = createHash('sha256').update(data).digest('base64url');
    return `${path},sha256=${digest},${data.length}\n`;
  });
  return `${rows.join('')}${own},,\n`;
}

/** The wheel of one platform. Returns its path. */
export function makeWheel(platform: Platform, { treeOf, output, version, seconds, level }: Packing): string {
  const tree = treeOf(platform);
  const [info, scripts] = [`${NAME}-${version}.dist-info`, `${NAME}-${version}.data/scripts`];
  const members = [
    file(`${NAME}/__init__.py`, join(TEMPLATES, '__init__.py')),
    file(`${NAME}/__main__.py`, join(TEMPLATES, '__main__.py')),
    file(`${NAME}/services.schema.json`, join(tree, SHARE, 'services.schema.json')),
    ...['svc-super', 'svc-super-supervisor'].map((name) => file(`${scripts}/${name}`, join(tree, BIN, name), 0o755)),
    ...['LICENSE', 'THIRD_PARTY_LICENSES'].map((name) => file(`${info}/licenses/${name}`, join(tree, SHARE, name))),
    text(`${info}/METADATA`, renderMetadata(version)),
    text(`${info}/WHEEL`, renderWheel(tagsOf(platform))),
  ];
  const record = `${info}/RECORD`;
  const all = [...members, text(record, renderRecord(members, record))];
  mkdirSync(output, { recursive: true });
  const path = join(output, wheelOf(platform, version));
  writeFileSync(path, zip(all, seconds, level));
  return path;
}
