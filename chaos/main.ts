// `npm run chaos -- --minutes N --seed S`: round after round, each from a seed of its own, until the time is over. Says what
// broke, with the seed and a smaller round that still breaks; its last line counts the rounds.
import { parseArgs } from 'node:util';
import { generate } from './generate.ts';
import { killRounds, runRound } from './round.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    rounds: { type: 'string' },
    lanes: { type: 'string', default: '2' },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const seed = Number(values.seed ?? 1);
const rounds = Number(values.rounds ?? 1e9);
const until = performance.now() + Number(values.minutes) * 60_000;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killRounds();
    process.exit(130);
  });
}

let next = 0;
let passed = 0;
let failed = 0;
async function lane(): Promise<void> {
  while (next < rounds && performance.now() < until) {
    const own = seed + next;
    next += 1;
    const from = performance.now();
    const { breaches, observation, latest } = await runRound(generate(own));
    const { asked, zombies, most, end, told } = observation;
    const slowest = Math.max(0, ...asked.map(({ took }) => took));
    const oldest = Math.max(0, ...zombies.map(({ age }) => age));
    say(
      `seed ${own}: ${breaches.length === 0 ? 'holds' : 'BREAKS'}, code ${end?.code ?? end?.signal ?? 'none'}, ${told.length} events, slowest answer ${slowest.toFixed(0)} of ${asked.length}, oldest zombie ${oldest.toFixed(0)}, ${(most.memory / 1_048_576).toFixed(0)} MiB, ${most.files} files, ${((performance.now() - from) / 1_000).toFixed(1)} s`,
    );
    if (breaches.length === 0) passed += 1;
    else {
      failed += 1;
      for (const { invariant, text } of breaches) say(`  ${invariant}: ${text}`);
      await Bun.write(`/tmp/chaos-${own}.json`, JSON.stringify({ observation, latest }, null, 1));
    }
  }
}
await Promise.all(Array.from({ length: Number(values.lanes) }, lane));
say(`${passed} rounds passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
