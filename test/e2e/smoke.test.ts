// The rig itself.
import { expect, test } from 'bun:test';
import { puppetCommand, up } from '../helpers/rig.ts';

for (const pid1 of [true, false]) {
  test(`puppets work (pid1 ${pid1})`, async () => {
    await using run = await up({ services: { a: { command: puppetCommand } } }, { pid1 });
    const a = await run.puppet('a');
    await a.print('hello');
    await run.line(/^a +\| hello$/);
    console.log(await a.facts());
    expect((await run.state('a', 'ready')).pid).toBe(a.pid);
    await a.spawn('kid', { daemon: true, wiped: true });
    const kid = await run.puppet('kid');
    await kid.rename('VLLM::EngineCore');
    console.log(run.ps());
    await a.exit(3);
    await run.ends(3);
    console.log(run.output.text());
  });
}
