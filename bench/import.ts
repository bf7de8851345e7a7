// `npm run bench:import`: figures of `svc-super import`. For each format, from the tests' corpus: how many constructs there are, how
// many change the result, how many are only reported, and the findings of each kind; and the time and memory of the built program
// for files of 2,500, 5,000 and 10,000 lines.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { importSource } from '../src/convert/import/import.ts';
import { FORMAT_NAMES, type FormatName } from '../src/convert/import/table.ts';
import { bare, inputOf, SOURCES } from '../test/convert/import/rig.ts';
import { variantsOf } from '../test/convert/import/variants.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const BINARY = join(import.meta.dir, '../dist/svc-super');
const RUNS = 3;
/** Runs its arguments; prints the seconds that it took and the largest resident set in KiB, which a small parent does not hide. */
const MEASURE = `
import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
took = time.monotonic() - start
sys.stderr.buffer.write(code.stderr[:300])
print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code.returncode)
`;

interface Shares {
  sources: number;
  constructs: number;
  carried: number;
  reported: number;
  readonly findings: Record<'lost' | 'changed' | 'look', number>;
}

/** A construct is carried over if the result differs without it, and reported if only the report does. */
async function sharesOf(format: FormatName): Promise<Shares> {
  const shares: Shares = {
    sources: 0,
    constructs: 0,
    carried: 0,
    reported: 0,
    findings: { lost: 0, changed: 0, look: 0 },
  };
  for (const source of SOURCES.filter((one) => one.format === format)) {
    const { path, images = [] } = source;
    const whole = await importSource(format, inputOf(path, {}, images));
    if (!whole.ok) throw new Error(`${path}: ${whole.message}`);
    shares.sources += 1;
    for (const { kind } of whole.findings) shares.findings[kind] += 1;
    const text = bare({ ...whole, findings: [] });
    for (const [, changes] of variantsOf(source)) {
      const changed = await importSource(format, inputOf(path, changes, images));
      shares.constructs += 1;
      if (bare(changed.ok ? { ...changed, findings: [] } : changed) !== text) shares.carried += 1;
      else if (bare(changed) !== bare(whole)) shares.reported += 1;
    }
  }
  return shares;
}

/** Files by path, of about so many lines in all; the first path is the one to import. */
function largeSource(format: FormatName, lines: number): Readonly<Record<string, string>> {
  const many = (size: number, make: (index: number) => string) =>
    Array.from({ length: Math.floor(lines / size) }, (_, index) => make(index)).join('');
  switch (format) {
    case 'supervisord':
      return {
        'a.conf': `[supervisord]\n${many(5, (n) => `[program:p${n}]\ncommand=p --number ${n} "a b"\nenvironment=A="${n}"\nautorestart=true\nuser=app\n`)}`,
      };
    case 'compose':
      return {
        'a.yaml': `services:\n${many(10, (n) => `  s${n}:\n    image: i${n}\n    entrypoint: [s, "${n}"]\n    restart: always\n    environment:\n      A: \${A${n}:-x}\n    healthcheck:\n      test: curl -f http://localhost/${n}\n    volumes:\n      - v${n}:/v${n}\n`)}`,
      };
    case 'procfile':
      return { Procfile: many(1, (n) => `p${n}: run --number ${n}\n`) };
    case 'nosana':
      return {
        'a.json': `{"ops": [\n${many(5, (n) => `${n > 0 ? ',' : ''}{"type": "container/run",\n"id": "o${n}",\n"args": {"image": "i", "entrypoint": ["o"],\n"env": {"A": "${n}"}},\n"execution": {"group": "g"}}\n`)}]}\n`,
      };
    case 'recipe':
      return {
        'a.yaml': `name: a\ncontainer: {image: x}\nresources: {gpu: 1}\nenvironment:\n${many(1, (n) => `  A${n}: "${n}"\n`)}`,
      };
    case 'start.sh':
      return {
        'a.sh': `#!/bin/bash\n${many(4, (n) => `A=${n} prog${n} --port ${(n % 60_000) + 1_000} &\nuntil curl -sf localhost:${(n % 60_000) + 1_000}/x; do sleep 1; done\nmigrate${n} "$X"\n# a comment\n`)}wait -n\n`,
      };
    case 's6':
      return Object.fromEntries(
        Array.from({ length: Math.floor(lines / 5) }, (_, n) => [
          `tree/etc/services.d/s${n}/run`,
          `#!/bin/sh\nexport A=${n}\ncd /app\numask 022\nexec s${n} --x\n`,
        ]),
      );
  }
}

/** Median of wall milliseconds, and the largest resident set in MiB, of the program with this source. */
function measure(format: FormatName, lines: number): { readonly ms: number; readonly mib: number } {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
  const files = largeSource(format, lines);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const path = format === 's6' ? 'tree' : (Object.keys(files)[0] ?? '');
  const runs = Array.from({ length: RUNS }, () => {
    const command = ['/usr/bin/python3', '-c', MEASURE, BINARY, 'import', format, path];
    const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    if (exitCode !== 0) throw new Error(`${format}: ${stderr.toString().slice(0, 300)}`);
    const [seconds = 0, kib = 0] = stdout.toString().split(' ').map(Number);
    return { ms: seconds * 1_000, mib: kib / 1_024 };
  });
  rmSync(folder, { recursive: true, force: true });
  runs.sort((a, b) => a.ms - b.ms);
  return { ms: runs[Math.floor(RUNS / 2)]?.ms ?? 0, mib: Math.max(...runs.map(({ mib }) => mib)) };
}

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / Math.max(1, whole))} %`;

say(
  '| format | sources | constructs | change the result | only reported | not carried over | changed | needs a look |',
);
say('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const format of FORMAT_NAMES) {
  const { sources, constructs, carried, reported, findings } = await sharesOf(format);
  say(
    `| ${[format, sources, constructs, percent(carried, constructs), percent(reported, constructs), findings.lost, findings.changed, findings.look].join(' | ')} |`,
  );
}
say('\n| format | 2,500 lines | 5,000 lines | 10,000 lines |\n| --- | --- | --- | --- |');
for (const format of FORMAT_NAMES) {
  const cells = [2_500, 5_000, 10_000].map((lines) => {
    const { ms, mib } = measure(format, lines);
    return `${Math.round(ms)} ms, ${Math.round(mib)} MiB`;
  });
  say(`| ${[format, ...cells].join(' | ')} |`);
}
