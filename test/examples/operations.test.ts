// The example of operations: the commands of its README, one by one, with the built program. What they print must be what the README
// shows, apart from times, sizes and process numbers. SVC_TEST_WRITE=1 writes what they print into the README.
import { expect, test } from 'bun:test';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Tmux } from '../helpers/tmux.ts';
import { BINARY, freePorts, launch, missing, openFolder, ROOT, type Stack, skipWhen, until } from './stack.ts';

const EXAMPLE = join(ROOT, 'examples/operations');
const README = join(EXAMPLE, 'README.md');
const WRITES = process.env.SVC_TEST_WRITE === '1';
const skipped = skipWhen([missing('redis-server'), missing('tmux')], 'the example of operations');

interface Step {
  readonly command: string;
  /** The lines below the command. */
  readonly shown: readonly string[];
}

/** The commands of the `console` blocks, in their order. */
function stepsOf(text: string): readonly Step[] {
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).flatMap((part) => {
      const [command = '', ...shown] = part.trimEnd().split('\n');
      return command === '' ? [] : [{ command, shown }];
    }),
  );
}

/** What differs from run to run is replaced; the order of columns and lines is not. */
function comparable(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b(?:\d+[dhm])+(?:\d+s)?\b|\b[\d.]+ ?m?s\b/g, 'DURATION')
    .replaceAll(/\b[\d.]+ ?[KMG](?:iB)?\b/g, 'SIZE')
    .replaceAll(/\b[\d.]+%|[▁-█░]+/g, '')
    .replaceAll(/\b\d{2,}\b/g, 'NUMBER')
    .replaceAll(/\bworker\.\d\b/g, 'worker.#')
    .replace(/ ready after DURATION$|^\(integer\) /, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

interface Place {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Paths and ports: those of the README, and those of this test. */
  readonly names: readonly (readonly [shown: string, used: string])[];
}

async function makePlace(): Promise<Place & AsyncDisposable> {
  const root = await openFolder();
  const [folder, data] = [join(root, 'walk'), join(root, 'queue')];
  cpSync(EXAMPLE, folder, { recursive: true });
  const [control, redis] = freePorts(2).map(String) as [string, string];
  return {
    folder,
    env: {
      PATH: `${dirname(BINARY)}:${process.env.PATH}`,
      DATA: data,
      CONTROL_PORT: control,
      REDIS_PORT: redis,
      SVC_SUPER_SOCKET: join(root, 'control.sock'),
    },
    names: [
      ['/tmp/queue', data],
      ['/tmp/walk', folder],
      ['9100', control],
      ['6379', redis],
    ],
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

/** The lines of an output, with the paths and ports of the README, and without progress lines. */
function linesOf(output: string, { names }: Place): readonly string[] {
  const text = names.reduce((before, [shown, used]) => before.replaceAll(used, shown), output);
  const lines = text.split('\n').map((line) => line.trimEnd());
  return lines.filter((line) => line !== '' && !line.startsWith('waiting for '));
}

async function runCommand(command: string, { folder, env, names }: Place): Promise<string> {
  const used = names.reduce((before, [shown, name]) => before.replaceAll(shown, name), command);
  const child = Bun.spawn(['sh', '-c', `exec 2>&1; ${used}`], { cwd: folder, env, stdin: 'ignore', stdout: 'pipe' });
  const output = await child.stdout.text();
  await child.exited;
  return output;
}

/** What the step prints. A command that only reads is repeated until it prints what is shown. */
async function take(step: Step, place: Place, stack: Stack): Promise<readonly string[]> {
  const { command } = step;
  const isUp = command.startsWith('svc-super up ');
  const print = async () => linesOf(isUp ? stack.output() : await runCommand(command, place), place);
  let lines = await print();
  if (!isUp && !/^(?:svc-super (?:status|logs|events)|cat)\b/.test(command)) return lines;
  const deadline = Date.now() + (WRITES ? 1_000 : 20_000);
  while (!isShown(lines, step) && Date.now() < deadline) {
    await Bun.sleep(20);
    lines = await print();
  }
  return lines;
}

/** The screen of `svc-super top`. */
async function takeScreen(step: Step, place: Place): Promise<readonly string[]> {
  await using tmux = new Tmux({ env: { ...place.env, BINARY } });
  tmux.type('exec "$BINARY" top');
  const hasAll = () => isShown(linesOf(tmux.screen(), place), step);
  await until('top to show what the README shows', () => hasAll() || WRITES, 20).catch(() => null);
  if (WRITES) await Bun.sleep(3_000);
  return linesOf(tmux.screen(), place);
}

/** Two workers, and standard output and standard error, may print in either order. */
function isShown(lines: readonly string[], { command, shown }: Step): boolean {
  const [printed, wanted] = [lines.map(comparable), shown.map(comparable)];
  const isUnordered = /^svc-super (?:up|logs)\b/.test(command);
  if (isUnordered) for (const all of [printed, wanted]) all.sort();
  return printed.join('\n') === wanted.join('\n');
}

test.skipIf(skipped)(
  'every command of the README prints what the README shows',
  async () => {
    await using place = await makePlace();
    const { folder } = place;
    await using stack = await launch(['env', '-C', folder, BINARY, 'up', '--pid-file', 'queue.pid'], {
      env: place.env,
      init: false,
      dispose: async () => {},
    });
    const text = readFileSync(README, 'utf8');
    let written = text;
    const steps = stepsOf(text).filter(({ command }) => !command.startsWith('cp -r examples/operations '));
    for (const step of steps) {
      const { command, shown } = step;
      const lines = command === 'svc-super top' ? await takeScreen(step, place) : await take(step, place, stack);
      if (isShown(lines, step)) continue;
      if (!WRITES)
        expect([`$ ${command}`, ...lines.map(comparable)]).toEqual([`$ ${command}`, ...shown.map(comparable)]);
      const [before, after] = [
        [`$ ${command}`, ...shown],
        [`$ ${command}`, ...lines],
      ].map((all) => `${all.join('\n')}\n`);
      written = written.replace(before as string, () => after as string);
    }
    if (WRITES) writeFileSync(README, written);
    expect(steps.length).toBeGreaterThan(20);
    expect(await stack.exitCode).toBe(0);
    expect(stack.processes()).toEqual([]);
    expect(existsSync(join(folder, 'queue.pid'))).toBe(false);
    expect(readFileSync(join(place.env.DATA as string, 'redis.env'), 'utf8')).toMatch(/^REDISCLI_AUTH=.{24}$/m);
  },
  60_000,
);
