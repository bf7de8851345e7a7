// Prints the figures of docs/export.md: how many fields of the examples each export carries over, and processor time and memory for long
// files. Run by hand after a build: `bun test/convert/export/figures.ts`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { EXAMPLES, exported, FORMS, ROOT } from './rig.ts';

const write = (line: string): void => void process.stdout.write(`${line}\n`);

/** The lines of every field of every service, and of the top: from the key to the end of the value. */
function fieldsOf(text: string): readonly (readonly [first: number, last: number])[] {
  const document = parseDocument(text);
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length;
  const ranges = (map: unknown): (readonly [number, number])[] =>
    isMap(map)
      ? map.items.map(({ key, value }) => {
          const [start = 0] = (key as { range?: number[] }).range ?? [];
          const [, end = start] = (value as { range?: number[] } | null)?.range ?? [];
          return [lineOf(start), lineOf(end)] as const;
        })
      : [];
  const services = document.get('services');
  const own = isMap(services) ? services.items.flatMap(({ value }) => ranges(value)) : [];
  const all = ranges(document.contents);
  // `services` itself is no field.
  return [...all.filter(([first]) => !text.split('\n')[first - 1]?.startsWith('services:')), ...own];
}

async function shares(): Promise<void> {
  write(`| export | files | fields | carried over as they are | changed | not carried over | to look at |`);
  write('| --- | --- | --- | --- | --- | --- | --- |');
  for (const [form, options] of FORMS) {
    const counts = { fields: 0, changed: 0, lost: 0, look: 0 };
    for (const [, text] of EXAMPLES) {
      const { findings } = await exported(text, options);
      for (const [first, last] of fieldsOf(text)) {
        counts.fields += 1;
        // A default in place of a variable is a value, not a field.
        const here = findings.filter(
          ({ where, what }) => where !== null && where.line >= first && where.line <= last && !what.startsWith('`${'),
        );
        const kind = (['lost', 'changed', 'look'] as const).find((one) => here.some((finding) => finding.kind === one));
        if (kind !== undefined) counts[kind] += 1;
      }
    }
    const { fields, changed, lost, look } = counts;
    const share = (part: number): string => `${Math.round((100 * part) / fields)} %`;
    const whole = [
      form,
      EXAMPLES.length,
      fields,
      share(fields - changed - lost - look),
      share(changed),
      share(lost),
      share(look),
    ];
    write(`| ${whole.join(' | ')} |`);
  }
}

/** A file of about so many lines. */
function long(lines: number): string {
  const services = Array.from({ length: Math.floor(lines / 10) }, (_, index) => {
    const before = index === 0 ? '' : `    depends_on: { s${index - 1}: ready }\n`;
    return `  s${index}:\n    command: [serve, --port, "${index + 1_000}"]\n    port: ${index + 1_000}\n    ready:\n      http: { path: /health, status: 200 }\n    env:\n      NAME: value ${index}\n      OTHER: \${OTHER:-x}\n    restart: on-failure\n${before}`;
  });
  return `services:\n${services.join('')}`;
}

async function costs(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-figures-'));
  write('\n| export | 2,500 lines | 5,000 lines | 10,000 lines |\n| --- | --- | --- | --- |');
  for (const [form] of FORMS) {
    const cells: string[] = [];
    for (const lines of [2_500, 5_000, 10_000]) {
      const file = join(folder, 'services.yaml');
      writeFileSync(file, long(lines));
      const command = [join(ROOT, 'dist/svc-super'), 'export', ...form.split(' '), '--image', 'a', '-f', file];
      const runs: number[] = [];
      let memory = 0;
      for (let count = 0; count < 3; count += 1) {
        const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'ignore' });
        const code = await child.exited;
        if (code !== 0) throw new Error(`${form} of ${lines} lines ended with ${code}`);
        // Processor time: what else runs on the machine changes it little.
        const usage = child.resourceUsage();
        runs.push(Number(usage?.cpuTime.total ?? 0) / 1_000);
        memory = Math.max(memory, usage?.maxRSS ?? 0);
      }
      cells.push(`${Math.round(runs.sort((a, b) => a - b)[1] ?? 0)} ms, ${Math.round(memory / 1024 / 1024)} MiB`);
    }
    write(`| ${[form, ...cells].join(' | ')} |`);
  }
  rmSync(folder, { recursive: true, force: true });
}

await shares();
await costs();
