// Values that name files: env files, secrets and included files. A relative path starts at the folder of the configuration file that
// has it. Opens no file.
import { dirname, isAbsolute, join, pathFrom } from '../paths.ts';
import { adviseVariables } from './advice.ts';
import { complete, defaulted, field, object, required } from './field.ts';
import { INVALID } from './reading.ts';
import { environmentValue, VARIABLE } from './service-values.ts';
import { byKind, flag, listOf, mapOf, refined, type Shape, text } from './shape.ts';
import { type Node, partAt, type Source } from './tree.ts';

const anyPath = text({ wanted: 'a path' });

/** A path that starts at the folder of the file that has it. Its value starts at the folder of the first file. */
export const ownPath: Shape<string> = refined(anyPath, (path, node, _name, reading) => {
  reading.observer?.path(node);
  return fromFirst(path, node, reading.source);
});

/** Converts a path that starts at the folder of the file that has `node` to one that starts at the folder of the first file. */
export function fromFirst(path: string, node: Node, source: Source): string {
  const folder = dirname(source.file);
  const own = dirname(partAt(source, node.start).file);
  return own === folder || isAbsolute(path) ? path : pathFrom(folder, join(own, path));
}

/** The fields of an environment value that is read from a file. */
export const ENV_FROM_FILE = {
  file: required(ownPath, "the file whose text, without its last newline, is the variable's value; never shown"),
} as const;

/** The fields of an entry of `env_file`. */
export const ENV_FILE = {
  path: required(ownPath, 'the file, relative to the folder of the file that names it'),
  required: defaulted(flag(), 'whether a missing file is an error', true),
} as const;

/** A map of environment variables. */
export const environment = mapOf(
  VARIABLE,
  environmentValue(object(ENV_FROM_FILE, { owner: 'an environment value' })),
  'a map of variables',
  adviseVariables,
);

/** A file of `KEY=VALUE` lines. */
export interface EnvFile {
  readonly path: string;
  readonly required: boolean;
}
const envFileMap = object(ENV_FILE, { owner: 'an `env_file`' });
const envFileEntry: Shape<EnvFile> = byKind('a path, or `{path, required}`', {
  scalar: refined(ownPath, (value): EnvFile => ({ path: value, required: true })),
  map: refined(envFileMap, (given) => {
    const { path, required: isRequired } = complete(ENV_FILE, given);
    return path === null ? INVALID : { path, required: isRequired };
  }),
});
export const envFiles: Shape<readonly EnvFile[]> = oneOrMore(envFileEntry, 'a path, or a list of paths');

/** The fields of an entry of `include`. */
export const INCLUDE = {
  path: required(
    anyPath,
    'a file, or a pattern with `*`, `?` and `[...]`; relative to the folder of the file that names it',
  ),
  required: field(flag(), 'whether it is an error that there is no such file', 'yes for a path, no for a pattern'),
} as const;

/** An entry of `include`. */
export interface Include {
  readonly path: string;
  /** null: the default of a path, or of a pattern. */
  readonly required: boolean | null;
  /** Where the path is written. */
  readonly node: Node;
}
const includeEntry: Shape<Include> = byKind('a path, or `{path, required}`', {
  scalar: refined(anyPath, (path, node): Include => ({ path, required: null, node })),
  map: refined(object(INCLUDE, { owner: 'an entry of `include`' }), (given, node) => {
    const { path, required: isRequired } = complete(INCLUDE, given);
    return path === null ? INVALID : { path, required: isRequired, node: pathNode(node) };
  }),
});
export const includes: Shape<readonly Include[]> = oneOrMore(includeEntry, 'a path, or a list of paths');

/** The node of the path in `{path, required}`, for diagnostics. */
const pathNode = (node: Node): Node => (node.kind === 'map' ? (node.entries.get('path')?.node ?? node) : node);

/** A list, or one entry without the list. */
function oneOrMore<T>(entry: Shape<T>, wanted: string): Shape<readonly T[]> {
  return byKind<readonly T[], readonly T[], readonly T[]>(wanted, {
    scalar: refined(entry, (one) => [one]),
    list: listOf(entry, { wanted: wanted.replace(/^.*, or /, '') }),
    map: refined(entry, (one) => [one]),
  });
}
