// Makes the software bill of materials (CycloneDX 1.6, JSON) of the supervisor: the runtime, the libraries in it, and the npm
// packages that the compiler took into the bundle. Has no time and no random serial number, so it is reproducible.
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import type { Bundled } from './notices.ts';
import { LIBRARIES, type Library, RUNTIME } from './runtime-libraries.ts';

/** An SPDX id, or words where a library has several licences. */
function licenses(license: string): Models.LicenseRepository {
  const isId = /^[\w.+-]+$/.test(license);
  return new Models.LicenseRepository([isId ? new Models.SpdxLicense(license) : new Models.NamedLicense(license)]);
}

const sourceAt = (url: string) =>
  new Models.ExternalReferenceRepository([new Models.ExternalReference(url, Enums.ExternalReferenceType.VCS)]);

/** `pkg:npm/%40scope/name@1.0.0` */
export const npmUrl = (name: string, version: string): string =>
  `pkg:npm/${name.split('/').map(encodeURIComponent).join('/')}@${version}`;

const library = ({ name, license, source, version }: Library) =>
  new Models.Component(Enums.ComponentType.Library, name, {
    bomRef: `runtime/${name}`,
    ...(version === null ? {} : { version }),
    licenses: licenses(license),
    externalReferences: sourceAt(source),
  });

const npmPackage = ({ name, version, license }: Bundled) =>
  new Models.Component(Enums.ComponentType.Library, name, {
    bomRef: npmUrl(name, version),
    version,
    purl: npmUrl(name, version),
    licenses: licenses(license),
  });

/** The text of the bill of materials. */
export function renderSbom(bundled: readonly Bundled[], version: string): string {
  const product = new Models.Component(Enums.ComponentType.Application, 'svc-super', {
    bomRef: 'svc-super',
    version,
    licenses: licenses('MIT'),
  });
  const runtime = new Models.Component(Enums.ComponentType.Platform, 'bun', {
    bomRef: 'bun',
    version: Bun.version,
    purl: npmUrl('bun', Bun.version),
    licenses: licenses('MIT'),
    externalReferences: sourceAt(RUNTIME.source),
  });
  const [libraries, packages] = [LIBRARIES.map(library), bundled.map(npmPackage)];
  for (const part of libraries) runtime.dependencies.add(part.bomRef);
  for (const part of [runtime, ...packages]) product.dependencies.add(part.bomRef);
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ component: product }),
    components: new Models.ComponentRepository([runtime, ...libraries, ...packages]),
  });
  const normalizers = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  const text = new Serialize.JsonSerializer(normalizers).serialize(bom, { sortLists: true, space: 2 });
  return `${text}\n`;
}
