// `npm run chaos -- --minutes N --seed S`: runs rounds, each from its own seed, until the time is over. Reports breaches with
// the seed and a smaller round that still fails; the last line counts the rounds.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generate } from './generate.ts';
import { whyNoChaos } from './obstacle.ts';
import {
  extremesOf,
  larger,
  NOTHING,
  renderBreaches,
  renderExtremes,
  renderReplay,
  renderRound,
  renderStory,
  Tally,
} from './report.ts';
import { killRounds, type Outcome, runRound } from './round.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';

const USAGE = `npm run chaos -- [--minutes N] [--seed S] [--rounds N] [--lanes N] [--shrink MINUTES] [--replay FILE]
  --minutes   go on for so long (2)
  --seed      of the first round; each has the next number (the day's, such as 20260131000)
  --rounds    at most so many
  --lanes     so many at once (2)
  --shrink    look for a smaller round that fails for so long (5)
  --replay    the round in that file, as a failure prints it, again and again
`;
/** A smaller round must pass this many times to count as passing, because timing matters. */
const TRIES = 2;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    rounds: { type: 'string', default: '1000000' },
    lanes: { type: 'string', default: '2' },
    shrink: { type: 'string', default: '5' },
    replay: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A number for each day, with space for a day's rounds after it. */
function seedOfToday(): number {
  return Number(new Date().toISOString().slice(0, 10).replaceAll('-', '')) * 1_000;
}

class Chaos {
  readonly #until = performance.now() + Number(values.minutes) * 60_000;
  readonly #first = Number(values.seed ?? seedOfToday());
  readonly #replay = values.replay === undefined ? null : (JSON.parse(readFileSync(values.replay, 'utf8')) as Scenario);
  #next = 0;
  passed = 0;
  failed = 0;
  extremes = NOTHING;
  readonly tally = new Tally();
  /** The breaches, repeated at the end, where they are seen. */
  readonly broken: string[] = [];

  async lane(): Promise<void> {
    while (this.#next < Number(values.rounds) && performance.now() < this.#until) {
      const seed = this.#first + this.#next;
      this.#next += 1;
      const scenario = this.#replay ?? generate(seed);
      const from = performance.now();
      const outcome = await runRound(scenario);
      const { observation, breaches } = outcome;
      say(renderRound(scenario.seed, observation, breaches, (performance.now() - from) / 1_000));
      this.tally.add(observation);
      this.extremes = larger(this.extremes, extremesOf(observation));
      if (breaches.length === 0) this.passed += 1;
      else {
        this.failed += 1;
        await this.#report(scenario, outcome);
      }
    }
  }

  async #report(scenario: Scenario, outcome: Outcome): Promise<void> {
    const broken = new Set(outcome.breaches.map(({ invariant }) => invariant));
    const lines = [`--- seed ${scenario.seed} breaks:`, ...renderBreaches(outcome.breaches)];
    say([...lines, ...renderStory(outcome.observation, outcome.latest)].join('\n'));
    this.broken.push(...lines);
    const until = performance.now() + Number(values.shrink) * 60_000;
    let smallest = outcome;
    const small = await shrink(scenario, async (candidate) => {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        if (performance.now() > until) return null;
        const again = await runRound(candidate);
        if (!again.breaches.some(({ invariant }) => broken.has(invariant))) continue;
        smallest = again;
        return true;
      }
      return false;
    });
    if (smallest === outcome) say(`--- seed ${scenario.seed}: no smaller round was found that fails`);
    else {
      const story = renderStory(smallest.observation, smallest.latest);
      say([`--- seed ${scenario.seed}, shrunk, breaks:`, ...renderBreaches(smallest.breaches), ...story].join('\n'));
    }
    say(`--- for --replay:\n${renderReplay(small)}\n--- end of seed ${scenario.seed}`);
  }
}

async function main(): Promise<number> {
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const why = whyNoChaos();
  if (why !== null) {
    say(`SKIPPED chaos: ${why}\n0 rounds passed, 0 failed`);
    return 1;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killRounds();
      process.exit(130);
    });
  }
  const chaos = new Chaos();
  await Promise.all(Array.from({ length: Number(values.lanes) }, () => chaos.lane()));
  for (const line of chaos.tally.render()) say(line);
  say(renderExtremes(chaos.extremes));
  for (const line of chaos.broken) say(line);
  say(`${chaos.passed} rounds passed, ${chaos.failed} failed`);
  return chaos.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
