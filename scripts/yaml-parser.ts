// js-yaml comes as one file, most of which makes YAML, or values of it, and runs when it is loaded: more than 1 ms of every
// start. For the binary only those of its regions are kept that src/config/yaml-quick.ts needs.
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

/** What the file exports of that. */
const EXPORTED = [
  ...['nullCoreTag', 'boolCoreTag', 'intCoreTag', 'floatCoreTag', 'NOT_RESOLVED'],
  ...['EVENT_ID', 'SCALAR_STYLE', 'COLLECTION_STYLE', 'getScalarValue', 'parseEvents'],
];

/** The file with nothing but the parser. Throws when a region is not there: then the library has changed and needs a look. */
export function keepParser(text: string): string {
  const regions = new Map(
    [...text.matchAll(/^\/\/#region src\/(.*)\n([\s\S]*?)^\/\/#endregion$/gm)].map(([, name = '', body = '']) => [
      name,
      body,
    ]),
  );
  const kept = KEPT.map((name) => {
    const body = regions.get(name);
    if (body === undefined) throw new Error(`js-yaml has no region ${name} any more: check what replaced it`);
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
