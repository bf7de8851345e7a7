// Invalid input in place of services.yaml: `up` reports it and exits with 78, `check` reports the same, and nothing is spawned:
// each configuration here has a service that would leave a file behind.
import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { freePort, isRoot, up, useRig, variable } from '../helpers/rig.ts';
import { ConfigFolder } from '../helpers/trap-config.ts';

useRig();

const CONFIG_WRONG = 78;
/** Time limit, because a hang would last for ever. */
const SOON = 10_000;

/** Services that wait for each other in a cycle. */
function circle(count: number): string {
  const line = (number: number) => `  s${number}: {command: touch ran, depends_on: [s${(number + 1) % count}]}`;
  return `services:\n${Array.from({ length: count }, (_, number) => line(number)).join('\n')}\n`;
}

/** Each list contains the previous one ten times: ten thousand million values, written in a few hundred bytes. */
function aliasBomb(): string {
  const names = [...'abcdefghij'];
  const levels = names.map((name, at) => {
    const item = at === 0 ? '1' : `*${names[at - 1]}`;
    return `x-${name}: &${name} [${Array(10).fill(item).join(', ')}]`;
  });
  return `${levels.join('\n')}\nservices: {a: {command: touch ran, env: *j}}\n`;
}

/** The same random numbers in each run of the tests. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

function rubbish(seed: number, lines: number, from: number, to: number): Uint8Array {
  const source = numbers(seed);
  const next = (below: number): number => source.next().value % below;
  const bytes: number[] = [];
  for (let line = 0; line < lines; line += 1) {
    for (let left = next(90); left > 0; left -= 1) bytes.push(from + next(to - from));
    bytes.push(10);
  }
  return Uint8Array.from(bytes);
}

const RUNS = 'services: {a: {command: touch ran}}\n';

const CASES: Readonly<Record<string, { readonly text: string | Uint8Array; readonly says: RegExp }>> = {
  'broken YAML': {
    text: 'services:\n  a:\n    command: touch ran\n   b: [\n',
    says: /services\.yaml:4:4: error: YAML: keys of one map must begin in the same column\n +4 \| {4}b: \[\n +\| +~+\n +help: write `b`/,
  },
  'an empty file': {
    text: '',
    says: /services\.yaml:1:1: error: the file is empty: it needs a service\n.*\n.*\n +help: add a service: `services: /,
  },
  'nothing but a comment': {
    text: '# to do\n',
    says: /services\.yaml:1:1: error: the file has only comments: it needs a service\n/,
  },
  'two documents': { text: `${RUNS}---\n${RUNS}`, says: /:2:1: error: the file holds more than one document/ },
  'no service': { text: 'services: {}\n', says: /:1:11: error: `services` is empty: it needs a service\n/ },
  'no service that is enabled': {
    text: 'services: {a: {command: touch ran, enabled: false}}\n',
    says: /error: no service is enabled/,
  },
  'a file of 10 MB': {
    text: `${RUNS}# ${'x'.repeat(10_000_000)}`,
    says: /services\.yaml:1:1: error: cannot read .*: it has 9\.6 MiB, and the limit is 1 MiB\n/,
  },
  'a cycle of 500 services': {
    text: circle(500),
    says: /:2:41: error: these services wait for each other: s0 -> s1 -> .*more\) -> .*s499 -> s0\n/,
  },
  'a service that waits for itself': { text: circle(1), says: /:2:\d+: error: .*`?s0`?.* itself/ },
  'an alias bomb': { text: aliasBomb(), says: /error: the file holds more than 250000 values when its aliases/ },
  'an alias inside what it names': {
    text: `x-a: &a [*a]\n${RUNS}`,
    says: /:1:10: error: the alias `\*a` is inside its own anchor\n/,
  },
  'lists a hundred thousand deep': {
    text: `${RUNS}x-deep: ${'['.repeat(100_000)}${']'.repeat(100_000)}\n`,
    says: /:2:\d+: error: the file is nested more than 100 levels deep\n/,
  },
  'maps a thousand deep': {
    text: `${RUNS}x-deep:\n${Array.from({ length: 1_000 }, (_, at) => `${' '.repeat(at + 1)}a:\n`).join('')}`,
    says: /error: the file is nested more than 100 levels deep\n/,
  },
  'a NUL in a text': {
    text: 'services: {a: {command: "touch ran\\0"}}\n',
    says: /:1:25: error: `command` contains a NUL character/,
  },
  'a NUL byte in the file': {
    text: 'services: {a: {command: "touch\0 ran"}}\n',
    says: /error: `command` contains a NUL character.*\n.*touch\\x00 ran/,
  },
  'a NUL in the name of a variable': {
    text: 'services: {a: {command: touch ran, env: {"A\\0": b}}}\n',
    says: /error: .*NUL/,
  },
  'a user who does not exist': {
    text: 'services: {a: {command: touch ran, user: rooot}}\n',
    says: /:1:42: error: there is no user `rooot`\n.*\n +\| +~~~~~\n +help: did you mean `root`\?\n/,
  },
  'a group that does not exist': {
    text: 'services: {a: {command: touch ran, user: "root:no-such-group"}}\n',
    says: /error: there is no group `no-such-group`\n/,
  },
  'an environment file that is missing': {
    text: 'services: {a: {command: touch ran, env_file: no.env}}\n',
    says: /error: cannot read .*no\.env: there is no such file\n.*\n.*\n +help: write `\{path: …, required: false\}`/,
  },
  'a secret that is missing': {
    text: 'services: {a: {command: touch ran, env: {T: {file: no-such-secret}}}}\n',
    says: /error: cannot read .*no-such-secret: there is no such file\n/,
  },
  'a variable that must be set': {
    text: `services: {a: {command: touch ran, cwd: "${variable('NOT_SET:?say where')}"}}\n`,
    says: /error: .*NOT_SET.*say where/,
  },
  'text in UTF-16': { text: Buffer.from(`\ufeff${RUNS}`, 'utf16le'), says: /error: cannot read .*: it is UTF-16\n/ },
  'ten thousand lines of random text': { text: rubbish(1, 10_000, 32, 127), says: /services\.yaml:\d+:\d+: error: / },
  'ten thousand lines of random bytes': { text: rubbish(2, 10_000, 0, 256), says: /error: cannot read .*not UTF-8\n/ },
  'ten thousand lines of brackets, quotes and signs': {
    text: rubbish(3, 10_000, 33, 48),
    says: /services\.yaml:\d+:\d+: error: /,
  },
};

for (const [what, { text, says }] of Object.entries(CASES)) {
  test(
    `${what} is said and ends with 78, and nothing was spawned`,
    async () => {
      using folder = new ConfigFolder({ 'services.yaml': text });
      const { code, stdout, stderr } = await folder.run(['up']);
      expect({ code, stdout }).toEqual({ code: CONFIG_WRONG, stdout: '' });
      expect(stderr).toMatch(says);
      expect(stderr).not.toContain('a bug');
      // The mistake may be megabytes long; the message must be short.
      expect(stderr.length).toBeLessThan(64 * 1024);
      expect(await folder.run(['check'])).toEqual({ code, stdout, stderr });
      expect(folder.isUntouched).toBe(true);
    },
    SOON,
  );
}

describe('in place of the file', () => {
  const PLACES: Readonly<Record<string, { readonly path: string; readonly says: string }>> = {
    'a folder': { path: '.', says: 'it is a folder' },
    'no file': { path: 'nosuch.yaml', says: 'there is no such file' },
    'a device that goes on for ever': { path: '/dev/zero', says: 'it is not a regular file' },
    'a pipe that nobody writes to': { path: 'pipe', says: 'it is not a regular file' },
    'a link to itself': { path: 'loop', says: 'too many symbolic links' },
    'a path through a file': { path: 'file/services.yaml', says: 'a part of its path is not a folder' },
    'a name of 300 characters': { path: 'x'.repeat(300), says: 'its name is too long' },
  };
  for (const [what, { path, says }] of Object.entries(PLACES)) {
    test(
      `${what} is said and ends with 78`,
      async () => {
        using folder = new ConfigFolder({ file: '' });
        Bun.spawnSync(['mkfifo', folder.in('pipe')]);
        Bun.spawnSync(['ln', '-s', 'loop', folder.in('loop')]);
        for (const args of [
          ['up', '-f', path],
          ['-f', path],
          ['check', '-f', path],
        ]) {
          const { code, stdout, stderr } = await folder.run(args);
          expect({ code, stdout }).toEqual({ code: CONFIG_WRONG, stdout: '' });
          expect(stderr).toContain(`error: cannot read `);
          expect(stderr).toContain(`: ${says}\n`);
        }
      },
      SOON,
    );
  }
});

test.skipIf(!isRoot)('an unreadable secret, environment file or configuration is reported', async () => {
  using folder = new ConfigFolder({ secret: 'hush', 'other.env': 'A=hush', 'closed.yaml': RUNS });
  for (const name of ['secret', 'other.env', 'closed.yaml']) chmodSync(folder.in(name), 0o600);
  mkdirSync(folder.in('closed'), { mode: 0o700 });
  const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const wrong = 'services: {a: {command: touch ran, env: {T: {file: secret}}, env_file: [other.env, closed/x.env]}}';
  writeFileSync(folder.in('services.yaml'), wrong);
  const { code, stderr } = await folder.run(['up'], { through });
  expect(code).toBe(CONFIG_WRONG);
  for (const name of ['secret', 'other.env', 'closed/x.env'])
    expect(stderr).toContain(`error: cannot read ${folder.in(name)}: permission denied\n`);
  expect(stderr).not.toContain('hush');
  const closed = await folder.run(['up', '-f', 'closed.yaml'], { through });
  expect(closed.code).toBe(CONFIG_WRONG);
  expect(closed.stderr).toContain(`error: cannot read ${folder.in('closed.yaml')}: permission denied\n`);
  expect(folder.isUntouched).toBe(true);
});

test('PID 1 with an invalid configuration exits with 78 without a spawn', async () => {
  const port = await freePort();
  await using run = await up(
    { services: { a: { command: 'touch ran', port }, b: { command: 'touch ran', port, after: ['a'] } } },
    { leaves: [] },
  );
  await run.ends(CONFIG_WRONG);
  expect(run.output.bytes('stdout').toString()).toBe('');
  expect(run.output.text()).toContain(`\`b\` and \`a\` both listen on port ${port}`);
  expect(run.output.text()).toContain('unknown key `after` in a service');
});
