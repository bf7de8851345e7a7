// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Random texts, and valid files with one part changed: nothing may throw, hang, or print a control character, and every
// diagnostic must lie in the text.
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import fc from 'fast-check';
import { renderDiagnostics } from '../../../src/config/diagnostic.ts';
import { load, PATH } from '../rig.ts';

// FUZZ=20 runs twenty times as many.
const FACTOR = Number(process.env.FUZZ ?? 1);
setDefaultTimeout(60_000 * FACTOR);

const RIGHT = `
x-base: &base
  env: { A: 1, B: "two", C: { file: /run/secrets/c } }
  restart: { policy: on-failure, max: 3, within: 10m }
name: \${NAME:-fuzz}
stop_timeout: 30s
env_file: { path: x.env, required: false }
groups: [one, two]
defaults: { log: { format: json } }
services:
  db:
    <<: *base
    command: [postgres, -D, /data]
    group: one
    port: 5432
    user: postgres
    stop: { signal: INT, timeout: 20s }
    ready: { exec: pg_isready }
    limits: { nofile: 65536, core: { soft: 0, hard: 1GiB } }
  migrate:
    type: task
    command: |
      set -e
      migrate up
    depends_on: { db: ready }
  web:
    command: web --port \${PORT}
    group: two
    ports: [8000, 8001]
    depends_on: [migrate]
    forward: { HUP: QUIT }
    ready: [{ http: { path: /health, status: "200-299" } }, { tcp: true }]
    live: { http: /live, failures: 5 }
    umask: "022"
    cpus: "0-3"
`;
const AROUND = {
  files: { '/run/secrets/c': 'x\n', '/etc/passwd': 'postgres:x:70:70::/var/lib/postgresql:/bin/sh\n' },
  environment: { PATH: '/bin' },
};

/** Loads a text and checks the conditions that hold for every text. */
function examine(text: string): void {
  const loaded = load(text, AROUND);
  if (loaded.ok) {
    for (const { argv, edges } of loaded.value.plan.services) {
      expect(argv.length).toBeGreaterThan(0);
      for (const { on } of edges) expect(loaded.value.plan.services.some(({ name }) => name === on)).toBe(true);
    }
    return;
  }
  const { diagnostics } = loaded.error;
  expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
  const lines = text.split('\n');
  for (const { file, range, message, code } of diagnostics) {
    if (file !== PATH) continue;
    expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(message.length).toBeGreaterThan(0);
    expect(range.line).toBeGreaterThanOrEqual(1);
    expect(range.line).toBeLessThanOrEqual(lines.length);
    expect(range.column).toBeLessThanOrEqual((lines[range.line - 1]?.length ?? 0) + 1);
    expect([range.endLine, range.endColumn].every((value) => value >= 1)).toBe(true);
    expect(range.endLine > range.line || range.endColumn >= range.column).toBe(true);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
  expect(renderDiagnostics(loaded.error)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
}

const YAMLISH = fc.string({
  unit: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...' \n:-[]{},&*!|>\'"#%@`?~=$<\t\r\0'.split('')) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('services', 'command', 'a', 'env', '<<', '&x ', '*x', '${A}', '${', '---', '1'),
    },
    { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }) },
  ),
  maxLength: 80,
});

describe('loading', () => {
  test('the file that the tests below change is valid', () => {
    const loaded = load(RIGHT, AROUND);
    expect(loaded.ok ? '' : renderDiagnostics(loaded.error)).toBe('');
  });

  test('never throws on texts that look like YAML', () => {
    fc.assert(fc.property(YAMLISH, examine), { numRuns: 2000 * FACTOR });
  });

  test('never throws when such texts are inside a file', () => {
    fc.assert(
      fc.property(fc.nat(RIGHT.length), fc.nat(30), YAMLISH, (at, length, text) => {
        examine(RIGHT.slice(0, at) + text + RIGHT.slice(at + length));
      }),
      { numRuns: 600 * FACTOR },
    );
  });

  test('never throws when lines are swapped, dropped, doubled or indented', () => {
    const lines = RIGHT.split('\n');
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(lines.length - 1), fc.nat(3), (from, to, kind) => {
        const line = lines[from] ?? '';
        const rest = lines.filter((_, index) => index !== from);
        const changed = [
          rest,
          [...rest.slice(0, to), line, ...rest.slice(to)],
          [...lines.slice(0, to), line, ...lines.slice(to)],
          lines.map((one, index) => (index === from ? ` ${one}` : one)),
        ][kind];
        examine((changed ?? lines).join('\n'));
      }),
      { numRuns: 600 * FACTOR },
    );
  });

  const VALUES = ['[]', '{}', 'null', '""', '0', '-1', '1e400', '.nan', 'true', 'no', '[[1]]', '{a: {b: c}}', '*base'];
  test('never throws when any value is replaced by any other', () => {
    const values = [...RIGHT.matchAll(/: (\S[^\n{[]*)$/gm)];
    fc.assert(
      fc.property(
        fc.nat(values.length - 1),
        fc.constantFrom(...VALUES, '${', '${X}', '"\\0"', '"\\u202e"'),
        (index, value) => {
          const found = values[index];
          const start = (found?.index ?? 0) + 2;
          examine(RIGHT.slice(0, start) + value + RIGHT.slice(start + (found?.[1]?.length ?? 0)));
        },
      ),
      { numRuns: 600 * FACTOR },
    );
  });

  test('never throws on bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const loaded = load('', { files: { [PATH]: bytes } });
        if (!loaded.ok) renderDiagnostics(loaded.error);
      }),
      { numRuns: 500 * FACTOR },
    );
  });
});
