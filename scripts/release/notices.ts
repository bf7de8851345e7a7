// Makes THIRD_PARTY_LICENSES: what the supervisor's file contains besides this project's code, under which licence, where
// its source is, and how to link it again with a changed JavaScriptCore (LGPL). Names only what the compiler reported.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIBRARIES, type Library, RUNTIME } from './runtime-libraries.ts';

const ROOT = join(import.meta.dir, '../..');
const TEXTS = join(import.meta.dir, 'licenses');

/** An npm package in the bundle. */
export interface Bundled {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The text of its licence file. */
  readonly text: string;
}

function readPackage(folder: string): Bundled {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Bundled;
  const found = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  // A package without the file: its notice is that of its sources.
  const file = found === undefined ? join(TEXTS, 'packages', `${name}.txt`) : join(folder, found);
  if (!existsSync(file))
    throw new Error(`${name} has no licence file: add its text to scripts/release/licenses/packages`);
  return { name, version, license, text: readFileSync(file, 'utf8').trim() };
}

/** The npm packages among the compiled files (paths relative to the repository), by name and version. */
export function findBundled(inputs: readonly string[]): readonly Bundled[] {
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
  // npm may install one version of a package in several folders.
  const found = new Map(
    folders.map((folder) => {
      const one = readPackage(join(ROOT, folder));
      return [`${one.name} ${one.version}`, one];
    }),
  );
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

const RULE = '-'.repeat(80);

/** Licences whose texts are files of scripts/release/licenses, once for all libraries; and what needs no text. */
const COMMON = /^(?:LGPL-2\.0-or-later|LGPL-2\.1|Apache-2\.0|public domain)$/;

/** The copyright notice and licence of a library. Errors: its licence requires them, and they are not in licenses/libraries. */
function renderNotice({ name, license }: Library): string {
  if (COMMON.test(license)) return '';
  const file = join(TEXTS, 'libraries', `${name}.txt`);
  if (!existsSync(file))
    throw new Error(`${name} is under ${license}: add its notice to scripts/release/licenses/libraries`);
  return `${RULE}\n${name} (${license})\n\n${readFileSync(file, 'utf8').trim()}\n\n`;
}

function renderLibrary({ name, license, source, version }: Library): string {
  return `${name}${version === null ? '' : ` ${version}`}\n    ${license}\n    ${source}`;
}

function renderRuntime(version: string): string {
  return `svc-super-supervisor is the executable of Bun ${version}, unchanged, with the bundle of
svc-super appended. dist/node and svc-super (PID 1) contain nothing of Bun.

Bun (${RUNTIME.source}, revision ${RUNTIME.revision}) is under the MIT licence.
It contains JavaScriptCore and parts of WebKit (LGPL 2.0 or later) and TinyCC (LGPL 2.1).
The texts of these licences are at the end of this file.

    JavaScriptCore's source: ${RUNTIME.webkit.source}, revision ${RUNTIME.webkit.revision}

To run svc-super with a changed JavaScriptCore or TinyCC:

 1. git clone ${RUNTIME.source} && git -C bun checkout ${RUNTIME.revision}
 2. git clone ${RUNTIME.webkit.source} bun/vendor/WebKit, check out the revision above,
    and make the changes there (TinyCC: vendor/tinycc).
 3. In bun: \`bun run build:local\`. It compiles the library and links a new \`bun\`.
 4. In a clone of svc-super, whose complete source is under the MIT licence:
    \`npm run build -- --runtime PATH-OF-THE-NEW-BUN\`. It writes dist/svc-super-supervisor.

The licence of svc-super permits reverse engineering for debugging such changes.

Bun also contains these libraries:

${LIBRARIES.map(renderLibrary).join('\n')}
`;
}

const listPackages = (bundled: readonly Bundled[]): string =>
  bundled.map(({ name, version, license, text }) => `${RULE}\n${name} ${version} (${license})\n\n${text}\n`).join('\n');

/** The text of THIRD_PARTY_LICENSES for the variants that have no runtime. */
export const renderPackages = (bundled: readonly Bundled[]): string =>
  `Third-party software in svc-super: packages in the bundle\n\n${listPackages(bundled)}`;

/** The text of THIRD_PARTY_LICENSES. */
export function renderNotices(bundled: readonly Bundled[], runtimeVersion: string): string {
  const texts = ['LGPL-2.0', 'LGPL-2.1', 'Apache-2.0'].map(
    (name) => `${RULE}\n${name}\n\n${readFileSync(join(TEXTS, `${name}.txt`), 'utf8').trim()}\n`,
  );
  return [
    `Third-party software in svc-super\n\n1. The runtime\n\n${renderRuntime(runtimeVersion)}`,
    `2. Packages in the bundle\n\n${listPackages(bundled)}`,
    `3. Notices of libraries in the runtime\n\n${LIBRARIES.map(renderNotice).join('')}`,
    `4. Licence texts\n\n${texts.join('\n')}`,
  ].join('\n');
}
