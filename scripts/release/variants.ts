// Makes the variants of a release that have no runtime of their own, for images that already have Node or Bun: the native
// program and one JavaScript file. They contain nothing of a C library, so there is one for each architecture.
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { bundleForNode } from '../compile.ts';
import { checkPrebuilt } from '../native.ts';
import { type Bundled, renderPackages } from './notices.ts';
import { makeTree, writeShared } from './stage.ts';
import { setTimes } from './tree.ts';
import { sourceDate } from './version.ts';

/** Bytes of both programs, unpacked. */
const MOST = 3_000_000;

export type Variant = 'node' | 'bun';
export const VARIANTS: readonly Variant[] = ['node', 'bun'];

/**
 * The bundle with the first lines that execute it. Bun would run code that a `bunfig.toml` or `.env` in the working directory
 * names, and only options prevent that. So `sh` executes the file of that variant first; to JavaScript, the line of `sh` is a
 * string and a comment. `program`: the runtime, as a name in PATH or a path.
 */
export function addInterpreter(bundle: string, variant: Variant, program: string = variant): string {
  const code = bundle.replace(/^#!.*\n/, '');
  if (variant === 'node') return `#!${program.startsWith('/') ? program : `/usr/bin/env ${program}`}\n${code}`;
  return `#!/bin/sh\n':' //; exec ${program} --no-install --no-env-file --config=/dev/null "$0"\n${code}`;
}

/** Name of a variant, as in `svc-super-0.2.0-node-linux-x64.tar.gz`. */
export const variantName = (variant: Variant, arch: string): string => `${variant}-linux-${arch}`;

/** Makes the tree of a variant, which unpacks at `/`. */
export async function stageVariant(
  variant: Variant,
  arch: 'x64' | 'arm64',
  tree: string,
  bundled: readonly Bundled[],
): Promise<void> {
  const { native, supervisor } = makeTree(tree);
  copyFileSync(checkPrebuilt(arch), native);
  await bundleForNode(supervisor);
  writeFileSync(supervisor, addInterpreter(readFileSync(supervisor, 'utf8'), variant));
  for (const file of [native, supervisor]) chmodSync(file, 0o755);
  writeShared(tree, renderPackages(bundled));
  const size = statSync(native).size + statSync(supervisor).size;
  if (size > MOST) throw new Error(`the variant for ${variant} has ${size} bytes, and the limit is ${MOST}`);
  setTimes(tree, sourceDate());
}
