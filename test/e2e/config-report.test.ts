// Reports of mistakes in services.yaml: all at once, each with its position, source line, squiggle and suggestion; the same as
// JSON; and the JSON Schema with which an editor finds them first.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { violations } from '../config/json-schema.ts';
import { ConfigFolder } from '../helpers/trap-config.ts';

const CONFIG_WRONG = 78;
const examples = join(import.meta.dir, '../../examples');

const WRONG = `services:
  vllm:
    command: touch ran
    depend_on: [web]
    start_timeout: 30
  web:
    command: [touch, ran]
    depends_on: [vlm]
    restart: sometimes
`;

test('all mistakes are reported at once, each with its position, line, squiggle and suggestion', async () => {
  using folder = new ConfigFolder({ 'services.yaml': WRONG });
  const { code, stdout, stderr } = await folder.run(['up']);
  const at = folder.in('services.yaml');
  expect(stderr).toBe(
    `${at}:4:5: error: unknown key \`depend_on\` in a service
   4 |     depend_on: [web]
     |     ~~~~~~~~~
     help: did you mean \`depends_on\`?
${at}:5:20: error: \`start_timeout\` must be a duration above zero, not 30
   5 |     start_timeout: 30
     |                    ~~
     help: write \`30s\` or \`30ms\`
${at}:8:18: error: \`web\` depends on \`vlm\`, which does not exist
   8 |     depends_on: [vlm]
     |                  ~~~
     help: did you mean \`vllm\`?
${at}:9:14: error: \`restart\` must be \`never\`, \`on-failure\` or \`always\`, not "sometimes"
   9 |     restart: sometimes
     |              ~~~~~~~~~
`,
  );
  expect({ code, stdout }).toEqual({ code: CONFIG_WRONG, stdout: '' });
  expect(folder.isUntouched).toBe(true);
});

test('control characters of the terminal are escaped', async () => {
  using folder = new ConfigFolder({ 'services.yaml': 'services: {"\\e[2Jred": {command: touch ran}}\n' });
  const { code, stderr } = await folder.run(['check']);
  expect(code).toBe(CONFIG_WRONG);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must not be there
  expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  expect(stderr).toContain('\\x1b[2Jred');
});

describe('check', () => {
  test('prints the number of services and exits with 0', async () => {
    const text = 'services: {a: {command: touch ran}, b: {command: touch ran, enabled: no}}\n';
    using folder = new ConfigFolder({ 'services.yaml': text });
    const stdout = `${folder.in('services.yaml')}: ok, 1 service, 1 not enabled\n`;
    expect(await folder.run(['check'])).toEqual({ code: 0, stdout, stderr: '' });
    expect(folder.isUntouched).toBe(true);
  });

  test('shows warnings and still exits with 0', async () => {
    using folder = new ConfigFolder({ 'services.yaml': 'services: {a: {command: touch ran &}}\n' });
    const { code, stdout, stderr } = await folder.run(['check']);
    expect(code).toBe(0);
    expect(stdout).toBe(`${folder.in('services.yaml')}: ok, 1 service; 1 warning\n`);
    expect(stderr).toContain(`${folder.in('services.yaml')}:1:25: warning: \`a\` ends with \`&\``);
    expect(stderr).toContain('help: remove the `&`\n');
  });

  test('with --json reports the same on standard output only', async () => {
    using folder = new ConfigFolder({ 'services.yaml': WRONG });
    const file = folder.in('services.yaml');
    const { code, stdout, stderr } = await folder.run(['check', '--json']);
    expect({ code, stderr }).toEqual({ code: CONFIG_WRONG, stderr: '' });
    const told = JSON.parse(stdout);
    expect(told.ok).toBe(false);
    expect(told.file).toBe(file);
    expect(told.diagnostics).toHaveLength(4);
    expect(told.diagnostics[0]).toEqual({
      severity: 'error',
      code: 'unknown-key',
      message: 'unknown key `depend_on` in a service',
      file,
      line: 4,
      column: 5,
      endLine: 4,
      endColumn: 14,
      suggestion: 'did you mean `depends_on`?',
      related: [],
    });
    using right = new ConfigFolder({ 'services.yaml': 'services: {a: {command: touch ran &}}\n' });
    const good = await right.run(['check', '--json']);
    expect(good.code).toBe(0);
    const body = JSON.parse(good.stdout);
    expect({ ok: body.ok, count: body.diagnostics.length, severity: body.diagnostics[0].severity }).toEqual({
      ok: true,
      count: 1,
      severity: 'warning',
    });
    expect(right.isUntouched).toBe(true);
  });

  test('with --json reports a file that cannot be read', async () => {
    using folder = new ConfigFolder();
    const { code, stdout } = await folder.run(['check', '--json', '-f', 'nosuch.yaml']);
    expect(code).toBe(CONFIG_WRONG);
    const { ok, file, diagnostics } = JSON.parse(stdout);
    expect({ ok, file, code: diagnostics[0].code }).toEqual({
      ok: false,
      file: folder.in('nosuch.yaml'),
      code: 'file-missing',
    });
  });
});

test('check FILE... checks each file, as hooks for commits name them', async () => {
  using folder = new ConfigFolder({
    'good.yaml': 'services: {a: {command: x}}\n',
    'bad.yaml': 'services: {a: {}}\n',
  });
  const mixed = await folder.run(['check', 'bad.yaml', 'good.yaml']);
  expect({ code: mixed.code, stdout: mixed.stdout }).toEqual({
    code: CONFIG_WRONG,
    stdout: `${folder.in('good.yaml')}: ok, 1 service\n`,
  });
  expect(mixed.stderr).toContain('bad.yaml:1:');
  expect((await folder.run(['check', 'good.yaml', folder.in('good.yaml')])).code).toBe(0);
});

test('check --static warns of what only the container has, and finds the mistakes of the file', async () => {
  using folder = new ConfigFolder({
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of services.yaml
    'services.yaml': 'env_file: [no.env]\nservices: {a: {command: [no-such-program, "${NO_SUCH}"]}}\n',
    'bad.yaml': 'services: {a: {command: x, port: 65536}}\n',
  });
  expect((await folder.run(['check'])).code).toBe(CONFIG_WRONG);
  const { code, stdout, stderr } = await folder.run(['check', '--static']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(': ok; 2 warnings\n') });
  expect(stderr).toMatch(/warning: .*no\.env[\s\S]*warning: .*NO_SUCH/);
  expect((await folder.run(['check', '--static', 'bad.yaml'])).code).toBe(CONFIG_WRONG);
  expect((await folder.run(['check', '--static', '--runtime'])).code).toBe(64);
});

describe('schema', () => {
  async function schema(): Promise<Readonly<Record<string, unknown>>> {
    using folder = new ConfigFolder();
    const { code, stdout, stderr } = await folder.run(['schema']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  }

  test('accepts every example, and so does check', async () => {
    const found = await schema();
    expect(found.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(found.$id).toBe('https://json.schemastore.org/svc-super.json');
    const names = readdirSync(examples).filter((name) => readdirSync(join(examples, name)).includes('services.yaml'));
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      const text = readFileSync(join(examples, name, 'services.yaml'), 'utf8');
      expect(text).toStartWith('# yaml-language-server: $schema=../../services.schema.json\n');
      expect(violations(found, parse(text))).toEqual([]);
    }
  });

  test('in the repository is the printed one, at the path that the examples use', async () => {
    using folder = new ConfigFolder();
    const { stdout } = await folder.run(['schema']);
    expect(stdout).toBe(readFileSync(join(examples, '../services.schema.json'), 'utf8'));
  });

  const REFUSED: Readonly<Record<string, string>> = {
    'a typo in a key': 'services: {a: {command: x, depend_on: [b]}}',
    'a typo at the top': 'service: {a: {command: x}}\nservices: {a: {command: x}}',
    'a service without a command': 'services: {a: {}}',
    'no services': 'name: x',
    'a bare number for a duration': 'services: {a: {command: x, start_timeout: 30}}',
    'a port beyond 65535': 'services: {a: {command: x, port: 65536}}',
    'a word that is none': 'exit: last\nservices: {a: {command: x}}',
    'a name that cannot be one': 'services: {"a b": {command: x}}',
  };
  test('rejects what check rejects', async () => {
    const found = await schema();
    for (const [what, text] of Object.entries(REFUSED)) {
      using folder = new ConfigFolder({ 'services.yaml': text });
      const { code } = await folder.run(['check']);
      const complaints = violations(found, parse(text));
      expect({ what, code, rejected: complaints.length > 0 }).toEqual({ what, code: CONFIG_WRONG, rejected: true });
    }
  });
});
