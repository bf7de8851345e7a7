// Reduces js-yaml for the binary to the regions that src/config/yaml-quick.ts needs. The library is one file, most of which
// writes YAML or converts values, and runs when it is loaded: 1 ms of every start, and memory for as long as the supervisor runs.
import type { BunPlugin } from 'bun';

const KEPT = [
  'tag.ts',
  ...['null', 'bool', 'int', 'float'].map((type) => `tag/scalar/${type}_core.ts`),
  'common/snippet.ts',
  'common/exception.ts',
  'parser/events.ts',
  'parser/parser_scalar.ts',
  'parser/parser.ts',
];

/** The exports of the reduced file. */
const EXPORTED = [
  ...['nullCoreTag', 'boolCoreTag', 'intCoreTag', 'floatCoreTag', 'NOT_RESOLVED'],
  ...['EVENT_ID', 'SCALAR_STYLE', 'COLLECTION_STYLE', 'getScalarValue', 'parseEvents'],
];

/** The file with only the parser. Throws if a region is missing: then the library has changed and must be checked. */
export function keepParser(text: string): string {
  const regions = new Map(
    [...text.matchAll(/^\/\/#region src\/(.*)\n([\s\S]*?)^\/\/#endregion$/gm)].map(([, name = '', body = '']) => [
      name,
      body,
    ]),
  );
  const kept = KEPT.map((name) => {
    const body = regions.get(name);
    if (body === undefined) throw new Error(`js-yaml has no region ${name} any more: check its replacement`);
    return body;
  });
  return `${kept.join('')}export { ${EXPORTED.join(', ')} };\n`;
}

export const yamlParser: BunPlugin = {
  name: 'yaml-parser',
  setup(build) {
    build.onLoad({ filter: /\/js-yaml\/dist\/js-yaml\.mjs$/ }, async ({ path }) => ({
      contents: keepParser(await Bun.file(path).text()),
      loader: 'js',
    }));
  },
};
