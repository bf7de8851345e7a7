// The files of an s6-overlay tree, wherever in a build context it lies: https://github.com/just-containers/s6-overlay. Finds
// and reads definitions; knows no meaning of them. Reads no file but through its input.
import { basename, join } from '../../paths.ts';
import type { ImportInput } from './source.ts';

/** One file or folder of the tree: where it is here, and in the container. */
export interface S6Path {
  readonly path: string;
  readonly inside: string;
}

/** A service definition: a folder with `run`, `up`, `type` and the like. */
export interface S6Definition extends S6Path {
  readonly name: string;
  /** `rc`: of s6-rc.d; `legacy`: of services.d. */
  readonly kind: 'rc' | 'legacy';
  /** Names in the folder; folders end with `/`. */
  readonly entries: readonly string[];
}

export interface S6Tree {
  readonly definitions: readonly S6Definition[];
  /** Scripts of cont-init.d, cont-finish.d and fix-attrs.d in the order of their names. */
  readonly init: readonly S6Path[];
  readonly finish: readonly S6Path[];
  readonly attrs: readonly S6Path[];
}

/** Where a tree may begin below the folder that is named, and what the folder is in the container. */
const PREFIXES: readonly (readonly [string, string])[] = [
  ['etc', '/etc'],
  ['rootfs/etc', '/etc'],
  ['root/etc', '/etc'],
  ['', '/etc'],
];

/** Finds the tree; null: there is none. */
export function findTree(input: Pick<ImportInput, 'path' | 'list'>): S6Tree | null {
  const folders = new Map<string, S6Path>();
  for (const [prefix, inside] of PREFIXES) {
    const path = prefix === '' ? input.path : join(input.path, prefix);
    const names = input.list(path) ?? [];
    for (const name of ['services.d', 'cont-init.d', 'cont-finish.d', 'fix-attrs.d']) {
      if (names.includes(`${name}/`) && !folders.has(name))
        folders.set(name, { path: join(path, name), inside: `${inside}/${name}` });
    }
    for (const [under, real] of [
      ['s6-overlay/s6-rc.d', '/etc/s6-overlay/s6-rc.d'],
      ['s6-rc.d', '/etc/s6-overlay/s6-rc.d'],
    ] as const) {
      const rc = join(path, under);
      if (input.list(rc) !== null && !folders.has('s6-rc.d')) folders.set('s6-rc.d', { path: rc, inside: real });
    }
  }
  if (basename(input.path) === 's6-rc.d')
    folders.set('s6-rc.d', { path: input.path, inside: '/etc/s6-overlay/s6-rc.d' });
  if (basename(input.path) === 'services.d') folders.set('services.d', { path: input.path, inside: '/etc/services.d' });
  if (folders.size === 0) return null;
  const scripts = (name: string): readonly S6Path[] => filesOf(input, folders.get(name));
  return {
    definitions: [
      ...definitionsOf(input, folders.get('s6-rc.d'), 'rc'),
      ...definitionsOf(input, folders.get('services.d'), 'legacy'),
    ],
    init: scripts('cont-init.d'),
    finish: scripts('cont-finish.d'),
    attrs: scripts('fix-attrs.d'),
  };
}

function filesOf({ list }: Pick<ImportInput, 'list'>, folder: S6Path | undefined): readonly S6Path[] {
  if (folder === undefined) return [];
  const names = (list(folder.path) ?? []).filter((name) => !name.endsWith('/') && !name.startsWith('.'));
  return names.map((name) => ({ path: join(folder.path, name), inside: `${folder.inside}/${name}` }));
}

function definitionsOf(
  { list }: Pick<ImportInput, 'list'>,
  folder: S6Path | undefined,
  kind: S6Definition['kind'],
): readonly S6Definition[] {
  if (folder === undefined) return [];
  return (list(folder.path) ?? []).flatMap((name): S6Definition[] => {
    if (!name.endsWith('/')) return [];
    const bare = name.slice(0, -1);
    const path = join(folder.path, bare);
    return [{ name: bare, kind, path, inside: `${folder.inside}/${bare}`, entries: list(path) ?? [] }];
  });
}

/** The path here of a file that a definition names by its path in the container; null: it is outside of the tree. */
export function pathHere({ path, inside }: S6Path, wanted: string): string | null {
  const up = inside.split('/').filter((part) => part !== '');
  const here = path.split('/');
  const root = here.slice(0, here.length - up.length).join('/');
  if (here.length < up.length || !path.endsWith(up.join('/'))) {
    // Only the part below s6-rc.d or services.d is here.
    const anchor = up.findIndex((part) => part.endsWith('.d'));
    const below = `/${up.slice(0, anchor + 1).join('/')}/`;
    if (!wanted.startsWith(below)) return null;
    return `${here.slice(0, here.length - (up.length - anchor - 1)).join('/')}/${wanted.slice(below.length)}`;
  }
  if (!wanted.startsWith('/')) return null;
  return root === '' && !path.startsWith('/') ? wanted.slice(1) : `${root}${wanted}`;
}
