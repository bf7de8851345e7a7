// Installs the contestants: Debian packages, pm2 in its own folder, Go programs built from their newest available release,
// and the two instruments. Reports what could not be installed, and continues without it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Source } from './scenario.ts';

const INSTRUMENTS = ['mark', 'stage'] as const;

/** Compiles a program if it is older than its source. Returns null, or why it cannot be compiled. */
export function buildInstruments(cache: string): string | null {
  mkdirSync(cache, { recursive: true });
  for (const name of INSTRUMENTS) {
    const source = join(import.meta.dir, 'instruments', `${name}.c`);
    const target = join(cache, name);
    if (existsSync(target) && statSync(target).mtimeMs > statSync(source).mtimeMs) continue;
    const failed = run(['gcc', '-O2', '-static', '-s', '-Wall', '-o', `${target}.new`, source]);
    if (failed !== null) return `cannot compile ${source} (gcc and libc6-dev are needed): ${failed}`;
    renameSync(`${target}.new`, target);
  }
  return null;
}

/** Contestant -> null, or why it could not be installed. */
export function install(
  contestants: readonly Contestant[],
  cache: string,
  say: (text: string) => void,
): Map<string, string | null> {
  mkdirSync(cache, { recursive: true });
  const packages = contestants.flatMap(({ source }) => (source.from === 'debian' ? source.packages : []));
  say(`apt-get install ${packages.join(' ')}\n`);
  const updated = run(['apt-get', 'update', '-qq']);
  const debian =
    updated ?? run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages, 'gcc', 'libc6-dev']);
  const outcomes = new Map<string, string | null>();
  for (const { name, source } of contestants) {
    const outcome = source.from === 'debian' ? debian : source.from === 'here' ? null : fetch(source, cache, say);
    outcomes.set(name, outcome);
    say(`${name}: ${outcome === null ? 'installed' : `NOT installed: ${outcome}`}\n`);
  }
  return outcomes;
}

function fetch(
  source: Extract<Source, { from: 'go' | 'npm' }>,
  cache: string,
  say: (text: string) => void,
): string | null {
  if (source.from === 'npm') {
    const folder = join(cache, 'npm');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const wanted = `${source.package}@${source.version}`;
    say(`npm install ${wanted}\n`);
    return run(['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder, wanted]);
  }
  const refusals: string[] = [];
  for (const version of source.versions) {
    say(`go build ${source.main}@${version}\n`);
    const refused = buildGo(source, version, cache);
    if (refused === null) return null;
    refusals.push(`${version}: ${refused}`);
  }
  return refusals.join('; ');
}

/**
 * `go install MODULE@VERSION`, by a temporary module: it requests this version only and never a list of versions, which
 * some proxies do not have.
 */
function buildGo({ module, main }: Extract<Source, { from: 'go' }>, version: string, cache: string): string | null {
  const go = existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : 'go';
  const name = module.slice(module.lastIndexOf('/') + 1);
  const folder = join(cache, `build-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'go.mod'), `module bench.invalid/${name}\n\nrequire ${module} ${version}\n`);
  const target = join(cache, name);
  const build = [go, 'build', '-mod=mod', '-trimpath', '-ldflags=-s -w', '-o', `${target}.new`, main];
  const failed = run(build, { cwd: folder, env: { ...process.env, CGO_ENABLED: '0' } });
  rmSync(folder, { recursive: true, force: true });
  if (failed !== null) return failed;
  writeFileSync(`${target}.version`, `${version.slice(1)}\n`);
  renameSync(`${target}.new`, target);
  return null;
}

/** Null, or the last line of its output without addresses. */
function run(cmd: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string | null {
  const [program = '', ...args] = cmd;
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  if (error !== undefined) return `${program}: ${error.message}`;
  if (status === 0) return null;
  const said = `${stdout}\n${stderr}`
    .trim()
    .split('\n')
    .slice(-2)
    .map((line) => line.trim())
    .join(' ');
  return said.replace(/\w+:\/\/[^/\s]+/g, 'registry').slice(-200);
}
