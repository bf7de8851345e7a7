// Fuzzes one target for a time: the corpus first, then what is made of it. Inputs that do something new are kept and made
// into others; an input that breaks what must hold is made smaller, written down and told, with the seed. Knows bytes only.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dice } from '../test/helpers/nonsense.ts';
import { mutate, shrink } from './mutate.ts';
import { Finding, type Target, type Trial } from './target.ts';

export interface FuzzOptions {
  readonly seconds: number;
  /** So many inputs are enough, whatever the time. */
  readonly attempts?: number;
  readonly seed: number;
  /** The folder of the corpus. */
  readonly corpus: string;
  /** Where inputs that broke something go. */
  readonly findings: string;
  /** Whether inputs that did something new are written into the corpus. */
  readonly keep: boolean;
  say(text: string): void;
}

export interface FuzzOutcome {
  readonly attempts: number;
  /** How many different things inputs have done. */
  readonly features: number;
  readonly findings: readonly string[];
}

/** One that is found again and again is told once; so many different ones are enough for one run. */
const MOST_FINDINGS = 10;
/** Kept inputs: more of them only thin out the others. */
const MOST_KEPT = 2_000;
const MOST_WRITTEN = 2_048;
/** Begins what makes an input worth changing, but not worth a file. */
const WEAK = '~';

export function readCorpus(folder: string): readonly (readonly [string, Uint8Array])[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.map((name) => [name, readFileSync(join(folder, name))]);
}

export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzOutcome> {
  const dice = new Dice(options.seed);
  const trial = await target.begin(dice);
  const run = new FuzzRun(target, trial, options);
  try {
    const kept = readCorpus(options.corpus).map(([, bytes]) => bytes);
    for (const bytes of kept) await run.attempt(bytes, 'known');
    const pool = [...kept];
    const deadline = performance.now() + options.seconds * 1_000;
    const most = options.attempts ?? Number.POSITIVE_INFINITY;
    while (performance.now() < deadline && run.attempts < most && run.findings.size < MOST_FINDINGS) {
      const input = make(dice, trial, target, pool);
      if ((await run.attempt(input, 'made')) && pool.length < MOST_KEPT) pool.push(input);
      // The event loop is to get its turn, for those who listen for signals.
      if (run.attempts % 64 === 0) await Bun.sleep(0);
    }
  } finally {
    await run.end();
  }
  return { attempts: run.attempts, features: run.features, findings: [...run.findings.values()] };
}

/** A new input: from what was kept, the shorter of two, which is the faster one; or one that knows what is wanted. */
function make(dice: Dice, trial: Trial, { words, longest }: Target, pool: readonly Uint8Array[]): Uint8Array {
  const old = () => {
    const [one, other] = [dice.one(pool), dice.one(pool)];
    return one.length < other.length ? one : other;
  };
  if (pool.length > 0 && dice.chance(65)) return mutate(dice, old(), words, dice.one(pool), longest);
  const fresh = trial.fresh();
  return dice.chance(50) ? fresh : mutate(dice, fresh, words, pool.length > 0 ? old() : fresh, longest);
}

class FuzzRun {
  attempts = 0;
  readonly findings = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #target: Target;
  readonly #trial: Trial;
  readonly #options: FuzzOptions;

  constructor(target: Target, trial: Trial, options: FuzzOptions) {
    this.#target = target;
    this.#trial = trial;
    this.#options = options;
  }

  get features(): number {
    return this.#seen.size;
  }

  /** Whether the input did something that none had done before. */
  async attempt(input: Uint8Array, from: 'known' | 'made'): Promise<boolean> {
    this.attempts += 1;
    try {
      const fresh = (await this.#trial.attempt(input)).filter((feature) => !this.#seen.has(feature));
      for (const feature of fresh) this.#seen.add(feature);
      const strong = fresh.filter((feature) => !feature.startsWith(WEAK));
      if (strong.length > 0 && from === 'made' && this.#options.keep) this.#keep(input, strong);
      return fresh.length > 0;
    } catch (error) {
      this.#tell(input, error);
      return false;
    }
  }

  async end(): Promise<void> {
    try {
      await this.#trial.end();
    } catch (error) {
      this.#tell(new Uint8Array(0), error);
    }
  }

  #tell(input: Uint8Array, error: unknown): void {
    const what = describe(error);
    if (this.findings.has(what)) return;
    const smaller = this.#target.pure ? shrink(input, (one) => this.#breaks(one, what)) : input;
    const file = join(this.#options.findings, nameOf(smaller));
    mkdirSync(this.#options.findings, { recursive: true });
    writeFileSync(file, smaller);
    const shown = Buffer.from(smaller).toString('latin1').slice(0, 400);
    const stack = error instanceof Finding || !(error instanceof Error) ? '' : `\n${error.stack}`;
    const text = `${what}${stack}\n  input: ${JSON.stringify(shown)}\n  written to ${file}; seed ${this.#options.seed}`;
    this.findings.set(what, text);
    this.#options.say(`found: ${text}`);
  }

  /** Of a pure target alone: there an attempt is over when it returns. */
  #breaks(input: Uint8Array, what: string): boolean {
    try {
      void this.#trial.attempt(input);
      return false;
    } catch (error) {
      return describe(error) === what;
    }
  }

  #keep(input: Uint8Array, fresh: readonly string[]): void {
    let kept = input;
    if (this.#target.pure) {
      kept = shrink(input, (one) => this.#does(one, fresh), 400);
    }
    if (kept.length > MOST_WRITTEN) return;
    mkdirSync(this.#options.corpus, { recursive: true });
    writeFileSync(join(this.#options.corpus, nameOf(kept)), kept);
  }

  #does(input: Uint8Array, wanted: readonly string[]): boolean {
    try {
      const features = this.#trial.attempt(input);
      return Array.isArray(features) && wanted.every((feature) => features.includes(feature));
    } catch {
      return false;
    }
  }
}

function describe(error: unknown): string {
  if (error instanceof Finding) return error.message;
  // Numbers and names differ from one input to the next; the place does not.
  const place = error instanceof Error ? /\n\s+at .*/.exec(error.stack ?? '')?.[0].trim() : '';
  return `it threw ${error instanceof Error ? error.message.slice(0, 80) : String(error)} ${place}`;
}

const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);
