// `npm run fuzz -- [--seconds N] [--seed S] [--at-once N] [--keep] [TARGET...]`: fuzzes the targets, `--at-once` at a time, each
// in its own process, which has the flag `--one`. Exits with 1 if there were findings.
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FORMAT_NAMES } from '../src/convert/import/table.ts';
import { fuzz } from './runner.ts';
import type { Target } from './target.ts';
import type { NativeOptions } from './targets/native.ts';

const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  export: async () => (await import('./targets/exports.ts')).exportTarget,
  config: async () => (await import('./targets/config.ts')).config,
  notify: async () => (await import('./targets/notify.ts')).notify,
  logs: async () => (await import('./targets/logs.ts')).logs,
  api: async () => (await import('./targets/api.ts')).api,
  ...Object.fromEntries(
    FORMAT_NAMES.map((format) => [
      `import-${format}`,
      async () => (await import('./targets/imports.ts')).importTarget(format),
    ]),
  ),
};

/** The share of the time of each format of `import` in a run of all targets: there are many formats, and each has little code. */
const SHARE_OF_IMPORT = 1 / 6;

/** Targets that run programs which generate their own inputs. */
const PROGRAMS: Readonly<Record<string, (options: NativeOptions) => Promise<boolean>>> = {
  native: async (options) => (await import('./targets/native.ts')).fuzzNative(options),
};
const NAMES = [...Object.keys(TARGETS), ...Object.keys(PROGRAMS)];

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    'at-once': { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    one: { type: 'boolean', default: false },
  },
});
const [seconds, seed, atOnce] = [values.seconds, values.seed, values['at-once']].map(Number) as [
  number,
  number,
  number,
];
const names = positionals.length > 0 ? positionals : NAMES;

async function one(name: string): Promise<boolean> {
  const program = PROGRAMS[name];
  if (program !== undefined) return program({ seconds, seed, say: (text) => say(`${name}: ${text}`) });
  const target = await TARGETS[name]?.();
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const { attempts, features, findings } = await fuzz(target, {
    seconds,
    seed,
    corpus: join(import.meta.dir, 'corpus', name),
    findings: join(import.meta.dir, 'findings', name),
    keep: values.keep,
    say: (text) => say(`${name}: ${text}`),
  });
  say(
    `${name}: ${attempts} inputs in ${seconds} s, ${features} different outcomes, ${findings.length} findings; seed ${seed}`,
  );
  return findings.length === 0;
}

/** Each target runs in a process, because it may hang, and must not slow another one down. */
async function all(): Promise<number> {
  const results = new Map<string, boolean>();
  const queue = [...names];
  const children = new Set<Bun.Subprocess>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      queue.length = 0;
      for (const child of children) child.kill('SIGTERM');
    });
  }
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const share = positionals.length === 0 && name.startsWith('import-') ? SHARE_OF_IMPORT : 1;
      const args = [
        '--one',
        '--seconds',
        String(seconds * share),
        '--seed',
        String(seed),
        ...(values.keep ? ['--keep'] : []),
      ];
      const child = Bun.spawn([process.execPath, import.meta.path, ...args, name], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      children.add(child);
      results.set(name, (await child.exited) === 0);
      children.delete(child);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, atOnce) }, worker));
  const failed = [...results].filter(([, ok]) => !ok).map(([name]) => name);
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  say(`${results.size - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

const unknown = names.filter((name) => !NAMES.includes(name));
if (unknown.length > 0 || ![seconds, seed, atOnce].every((value) => Number.isFinite(value) && value >= 0)) {
  say(`npm run fuzz -- [--seconds N] [--seed S] [--at-once N] [--keep] [${NAMES.join('|')}]...`);
  process.exit(64);
}
const [only = ''] = names;
process.exitCode = values.one ? ((await one(only)) ? 0 : 1) : await all();
