// A core that throws: the supervisor ends, its successor continues from the checkpoint before that event, and drops an event that
// has ended two supervisors. The supervisor here runs from the source, with one modified function.
import { afterAll, expect } from 'bun:test';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, played, testWithRuntime, up, useRig } from '../helpers/rig.ts';

useRig();

const folder = mkdtempSync(join(tmpdir(), 'svc-broken-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SOURCE = join(import.meta.dir, '../../src');
const BUN = process.execPath;

/** Makes step() throw for events whose text meets `condition`. */
const plugin = (condition: string) => `
  Bun.plugin({
    name: 'broken core',
    setup(build) {
      build.onLoad({ filter: /core\\/supervisor\\.ts$/ }, async ({ path }) => {
        const text = await Bun.file(path).text();
        const head = 'export function step(world: World, event: Event, now: Millis): StepResult {';
        if (!text.includes(head)) throw new Error('step() is elsewhere');
        return { loader: 'ts', contents: text.replace(head, head + 'if (' + ${JSON.stringify(condition)} + ') throw new Error("made to fail");') };
      });
    },
  });
`;

/** Lines of shell that replace the built supervisor by one with such a core. */
function broken(condition: string): string {
  copyFileSync(binary, join(folder, 'svc-super'));
  writeFileSync(join(folder, 'plugin.ts'), plugin(condition));
  const script = `#!/bin/sh\nexec ${BUN} --preload ${join(folder, 'plugin.ts')} ${join(SOURCE, 'main.ts')}\n`;
  writeFileSync(join(folder, 'svc-super-supervisor'), script);
  chmodSync(join(folder, 'svc-super-supervisor'), 0o755);
  return `exec ${join(folder, 'svc-super')} "$@"`;
}

testWithRuntime(
  'an event on which the core throws twice is dropped, with its text in the log, and everything else goes on',
  async () => {
    const condition = 'event.type === "service" && event.event.type === "exited" && event.event.exit.code === 42';
    await using run = await up(
      { services: { a: played(), b: played({ restart: 'always' }) } },
      { before: broken(condition) },
    );
    const [a, b] = [await run.puppet('a'), await run.puppet('b')];
    await run.state('b', 'ready');
    await a.exit(42);
    const bug = await run.line(/a bug, please report it: \{"type":"service","service":"a".*made to fail/);
    await run.line(/the supervisor exited with code 70 and was restarted/, { after: bug });
    await run.line(/an event that has ended 2 supervisors is dropped: \{"type":"service","service":"a"/, {
      after: bug,
    });
    expect((await run.service('b')).run).toBe(1);
    await b.exit(1);
    await run.puppet('b', 2);
    // The core never received that exit, so the stop takes its whole time.
    expect((await run.service('a')).state).toBe('ready');
  },
);
