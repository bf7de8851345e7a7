// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tried
// Texts of services.yaml: valid, nearly valid and raw. Loading must end in time with a result; diagnostics must lie in the text
// and be printable; accepted texts must be accepted by the published schema, and both YAML readers must read them alike. A
// sample is given to the real binary.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { binary } from '../../soak/supervisor.ts';
import { type Diagnostic, type Failure, render, toJson } from '../../src/config/diagnostic.ts';
import type { Range } from '../../src/config/range.ts';
import type { Raw } from '../../src/config/raw.ts';
import { makeReading } from '../../src/config/reading.ts';
import { jsonSchema } from '../../src/config/schema.ts';
import { makeSource } from '../../src/config/tree.ts';
import { readQuickly } from '../../src/config/yaml-quick.ts';
import { readThoroughly } from '../../src/config/yaml-thorough.ts';
import { realFiles } from '../../src/linux/files.ts';
import { readInventory } from '../../src/linux/gpus.ts';
import { difference } from '../../src/plan/difference.ts';
import { loadPlan, type Planned } from '../../src/plan/expand.ts';
import { violations } from '../../test/config/json-schema.ts';
import { type Around, load, PATH } from '../../test/config/rig.ts';
import type { Dice } from '../../test/helpers/nonsense.ts';
import { generate, mutateValue, print, type Schema, WORDS } from '../generate.ts';
import { measure, must, type Target, type Trial } from '../target.ts';

const AROUND: Around = {
  files: {
    '/run/secrets/c': 'x\n',
    '/app/x.env': 'A=1\nB="two"\nexport C=3\n',
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n',
    '/etc/group': 'root:x:0:\npostgres:x:70:\n',
  },
  environment: { PATH: '/bin', A: '1' },
};
const ENV_FILE = '/app/x.env';
/** Separates services.yaml from its environment file in one input. */
const SEPARATOR = '\x1e';
/** Processor time of one load, milliseconds: for its size, plus the time that a collector may take meanwhile. */
const mayTake = (length: number): number => 250 + length / 32;
/** Shortest interval between two runs of the binary, milliseconds. */
const CHECK_EVERY = 1_500;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const lengthsOf = (text: string): readonly number[] => text.split('\n').map((line) => line.length);

function checkRange({ line, column, endLine, endColumn }: Range, lengths: readonly number[], what: string): void {
  const inside = (at: number, col: number) =>
    at >= 1 && at <= lengths.length && col >= 1 && col <= (lengths[at - 1] ?? 0) + 1;
  must(inside(line, column), `${what} begins outside of the text`);
  must(inside(endLine, endColumn), `${what} ends outside of the text`);
  must(endLine > line || (endLine === line && endColumn >= column), `${what} ends before it begins`);
}

function checkDiagnostics(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): void {
  const lengths = new Map([...sources].map(([file, text]) => [file, lengthsOf(text)]));
  for (const { file, range, message, code, related = [] } of diagnostics) {
    must(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(code), `the code ${code} is no name`);
    must(message.length > 0, `${code} has no message`);
    for (const place of [{ file, range }, ...related]) {
      const known = lengths.get(place.file);
      if (known !== undefined) checkRange(place.range, known, `a range of ${code}`);
    }
    JSON.stringify(toJson({ file, range, message, code, related, severity: 'error' }));
  }
  const printed = render(diagnostics, sources);
  must(!STEERING.test(printed), 'the output contains control characters');
  must(diagnostics.length === 0 || printed.endsWith('\n'), 'the output does not end with a newline');
}

type Loaded = ReturnType<typeof load>;

/** The whole outcome as a text, to compare two. */
function describe(loaded: Loaded): string {
  return loaded.ok
    ? JSON.stringify([loaded.value.plan, loaded.value.warnings])
    : JSON.stringify(loaded.error.diagnostics);
}

function checkPlan({ plan, warnings, sources }: Planned): void {
  checkDiagnostics(warnings, sources);
  must(
    warnings.every(({ severity }) => severity === 'warning'),
    'an error is among the warnings',
  );
  const names = new Set(plan.services.map(({ name }) => name));
  must(names.size === plan.services.length, 'two services have one name');
  must(
    plan.services.some(({ enabled }) => enabled),
    'nothing is enabled',
  );
  for (const { argv, edges, name } of plan.services) {
    must(argv.length > 0 && argv[0] !== '', 'a service has no program');
    must(
      edges.every(({ on }) => names.has(on) && on !== name),
      'an edge leads nowhere',
    );
  }
}

function checkRefusal({ diagnostics, sources }: Failure): void {
  must(
    diagnostics.some(({ severity }) => severity === 'error'),
    'it is refused without an error',
  );
  checkDiagnostics(diagnostics, sources);
}

/**
 * Differences from the schema: a service may have no `command` because `defaults` has one, or be empty; blanks around a value
 * are removed (a block ends with a newline); a number of GPUs may be quoted.
 */
function checkSchema(text: string, schema: Schema): void {
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: true,
    uniqueKeys: false,
    stringKeys: true,
    logLevel: 'silent',
  });
  const value: unknown = document.toJS({ maxAliasCount: -1 });
  const hasDefault = (value as { defaults?: { command?: unknown } } | null)?.defaults?.command !== undefined;
  const whenTrimmed = new Set(violations(schema, trimmed(value)));
  const [first] = violations(schema, value).filter(
    (one) =>
      whenTrimmed.has(one) &&
      !/\.gpus(?:\.count|\.share)?: anyOf$/.test(one) &&
      !(hasDefault && /\.command: required$|^\$\.services\..*: type$/.test(one)),
  );
  // The path contains names from the text, and two texts with one mistake are one finding.
  const [path = '', keyword] = first?.split(/: (?=\w+$)/) ?? [];
  const steps = path.split(/[.[]/).map((step) => (KEYS.has(step) ? step : '*'));
  must(first === undefined, () => `the schema rejects an accepted text, at ${steps.join('.')}: ${keyword}`);
}

const KEYS: ReadonlySet<string> = new Set(
  [...JSON.stringify(jsonSchema()).matchAll(/"(\w+)":\{/g)].map(([, name = '']) => name),
);

/** A text that the quick reader accepts must give the same result with the thorough one. */
function checkReaders(text: string): void {
  const quick = readQuickly(text);
  // The thorough reader requires comments in brackets to be indented, which YAML does not.
  if (quick === null || /[[{][^\]}]*\n#/.test(text)) return;
  const mistakes: Diagnostic[] = [];
  const thorough = readThoroughly(text, makeReading(makeSource(PATH, text), {}, mistakes));
  must(mistakes.length === 0, () => `the quick reader accepts an invalid text: ${mistakes[0]?.code}`);
  must(withoutPlaces(quick) === withoutPlaces(thorough), 'the two readers differ');
}

function withoutPlaces(raw: Raw | null): string {
  return JSON.stringify(raw, (key, value: unknown) => {
    if (key === 'start' || key === 'end') return undefined;
    return typeof value === 'number' ? String(value) : value;
  });
}

function trimmed(value: unknown): unknown {
  if (typeof value === 'string') return value.trim();
  if (Array.isArray(value)) return value.map(trimmed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, trimmed(inner)]));
}

const codesOf = (loaded: Loaded): readonly string[] =>
  (loaded.ok ? loaded.value.warnings : loaded.error.diagnostics).map(({ code }) => code);

function featuresOf(loaded: Loaded): readonly string[] {
  const codes = [...new Set(codesOf(loaded))].sort();
  const pairs = codes.slice(0, 8).flatMap((one, at) => codes.slice(at + 1, 8).map((other) => `~${one}+${other}`));
  if (!loaded.ok) return [...codes, ...pairs];
  const { plan } = loaded.value;
  const odd = plan.services.flatMap((service) => [
    ...[...service.ready, ...service.live].map(({ kind }) => `probe ${kind}`),
    ...service.edges.map(({ condition, origin }) => `edge ${condition} ${origin}`),
    ...Object.keys(service.attributes.limits).map((name) => `limit ${name}`),
    ...Object.keys(service.forward).map((name) => `forward ${name}`),
    `restart ${service.restart.policy} ${service.restart.max === null} ${service.restart.within === null}`,
    `log ${service.log.format} ${service.log.drop.length > 0} ${service.log.file !== null}`,
    `~as ${service.type} ${service.attributes.user === null} ${service.cwd === null} ${service.attributes.cpus === null} ${service.stop.argv === null}`,
  ]);
  return ['ok', ...codes, ...odd, `control ${plan.control === null}`, `exit ${plan.exit}`];
}

/** The text without the lines of diagnostics, as far as that helps: the rest is mostly valid. */
function repair(text: string): string {
  let lines = text.split('\n');
  for (let tries = 0; tries < 12; tries += 1) {
    const loaded = load(lines.join('\n'), AROUND);
    if (loaded.ok) break;
    const wrong = new Set(loaded.error.diagnostics.map(({ range }) => range.line));
    // A missing key is missing in another place.
    if (tries > 6) wrong.add(Math.max(...wrong) + 1);
    lines = lines.filter((_, index) => !wrong.has(index + 1));
  }
  return lines.join('\n');
}

interface Parts {
  readonly text: Uint8Array;
  /** The contents of x.env; null: the default. */
  readonly env: Uint8Array | null;
}

/** The part after the separator is an environment file. */
function parseParts(input: Uint8Array): Parts {
  const at = input.indexOf(SEPARATOR.charCodeAt(0));
  return at < 0 ? { text: input, env: null } : { text: input.subarray(0, at), env: input.subarray(at + 1) };
}

function assignments(dice: Dice): string {
  const pieces = [
    'A',
    'B=',
    '=',
    '"',
    "'",
    '#',
    'export ',
    '\\',
    '\\n',
    '${A}',
    '$',
    ' ',
    '\n',
    '\r\n',
    '\t',
    'x',
    '1',
    '\0',
    'ä',
    '\ufeff',
    '_Z9=two',
  ];
  return Array.from({ length: dice.below(40) }, () => dice.one(pieces)).join('');
}

class ConfigTrial implements Trial {
  readonly #dice: Dice;
  readonly #schema = jsonSchema() as Schema;
  readonly #folder = mkdtempSync(join(tmpdir(), 'svc-super-fuzz-'));
  readonly #binary: string | null;
  #checkedAt = performance.now();

  constructor(dice: Dice, program: string | null) {
    this.#dice = dice;
    this.#binary = program;
  }

  fresh(): Uint8Array {
    const dice = this.#dice;
    const made = generate(dice, this.#schema, this.#schema, dice.one([0, 0, 1, 4]));
    if (dice.chance(10))
      return Buffer.from(`env_file: x.env\nservices: { a: { command: x } }\n${SEPARATOR}${assignments(dice)}`);
    if (dice.chance(30)) return Buffer.from(print(dice, mutateValue(dice, made)));
    const text = print(dice, made);
    return Buffer.from(dice.chance(20) ? text : repair(text));
  }

  attempt(input: Uint8Array): readonly string[] {
    const parts = parseParts(input);
    const files = { ...AROUND.files, [PATH]: parts.text, ...(parts.env !== null && { [ENV_FILE]: parts.env }) };
    let loaded = load('', { ...AROUND, files });
    const again = () => {
      loaded = load('', { ...AROUND, files });
    };
    const first = describe(loaded);
    // The minimum of several runs, because a collector or a compiler may run in any of them.
    const limit = mayTake(input.length);
    let took = measure(again);
    for (let tries = 0; took > limit && tries < 4; tries += 1) took = Math.min(took, measure(again));
    must(took <= limit, 'it takes too long for its size');
    must(describe(loaded) === first, 'it is loaded differently the second time');
    if (loaded.ok) {
      checkPlan(loaded.value);
      const text = Buffer.from(parts.text)
        .toString('utf8')
        .replace(/^\ufeff/, '');
      checkReaders(text);
      checkSchema(text, this.#schema);
      const { plan } = loaded.value;
      const same = difference(plan, plan);
      must(same.added.length + same.removed.length + same.changed.length === 0, 'a plan differs from itself');
    } else checkRefusal(loaded.error);
    if (this.#binary !== null && performance.now() - this.#checkedAt > CHECK_EVERY) {
      this.#checkedAt = performance.now();
      this.#checkBinary(parts, this.#binary);
    }
    return featuresOf(loaded);
  }

  /** The binary must report the same diagnostics for a file as the code in this process. */
  #checkBinary({ text, env }: Parts, program: string): void {
    const path = join(this.#folder, 'services.yaml');
    writeFileSync(path, text);
    rmSync(join(this.#folder, 'x.env'), { force: true });
    if (env !== null) writeFileSync(join(this.#folder, 'x.env'), env);
    const environment = { PATH: '/usr/bin:/bin', A: '1' };
    const here = loadPlan({ path, files: realFiles, environment, gpus: readInventory });
    const { exitCode, stdout } = Bun.spawnSync([program, 'check', '--json', '-f', path], {
      env: environment,
      cwd: this.#folder,
    });
    must(
      exitCode === (here.ok ? 0 : 78),
      `the binary ends with ${exitCode}, and here the file is ${here.ok ? 'valid' : 'invalid'}`,
    );
    const { diagnostics } = JSON.parse(stdout.toString()) as { diagnostics: unknown };
    const ours = (here.ok ? here.value.warnings : here.error.diagnostics).map(toJson);
    must(JSON.stringify(diagnostics) === JSON.stringify(ours), 'the binary reports other diagnostics');
  }

  async end(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `program` is the binary that is run with a sample; null: none. */
export const beginConfig = (dice: Dice, program: string | null): Trial => new ConfigTrial(dice, program);

export const config: Target = {
  about: 'texts of services.yaml',
  words: [
    ...WORDS,
    'services:',
    'command:',
    '\n  ',
    '\n- ',
    ': ',
    '{',
    '}',
    '[',
    ']',
    '? ',
    '|\n',
    '>-\n',
    '---\n',
    '...\n',
    '&x ',
    '*x',
    '<<: *x',
    'depends_on:',
    'ready:',
    'live:',
    'http:',
    'tcp:',
    'restart:',
    'log:',
    'env:',
    'env_file:',
    'groups:',
    'group:',
    'defaults:',
    'control:',
    'ports:',
    'x-a:',
    '\ufeff',
    '\r\n',
    '\u2028',
    '\0',
  ], // prettier-ignore
  pure: true,
  longest: 16 * 1_024,
  begin: async (dice) => beginConfig(dice, binary),
};
