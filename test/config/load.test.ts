// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// From bytes to a tree: the forms of the file, the supported parts of YAML, and the size limits.
import { describe, expect, test } from 'bun:test';
import { renderDiagnostics } from '../../src/config/diagnostic.ts';
import { loadConfig, parseDraft } from '../../src/config/load.ts';
import { processorTime } from '../helpers/processor.ts';
import { load, memoryFiles, messages, oneService, PATH, planOf, printed, serviceOf } from './rig.ts';

const RUN = 'services: { a: { command: run } }\n';

function firstLine(contents: string | Uint8Array | Error | null | undefined): string {
  const files = memoryFiles(contents === undefined ? {} : { [PATH]: contents });
  const loaded = loadConfig(PATH, files, {});
  return loaded.ok ? 'ok' : (renderDiagnostics(loaded.error).split('\n')[0] ?? '');
}

describe('the file', () => {
  const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  const cases: Readonly<Record<string, readonly [string | Uint8Array | Error | null | undefined, string]>> = {
    'that is not there': [undefined, `${PATH}:1:1: error: cannot read ${PATH}: there is no such file`],
    'that is a folder': [null, `${PATH}:1:1: error: cannot read ${PATH}: it is a folder`],
    'that may not be read': [denied, `${PATH}:1:1: error: cannot read ${PATH}: permission denied`],
    'that fails in an unknown way': [
      new Error('disk on fire'),
      `${PATH}:1:1: error: cannot read ${PATH}: disk on fire`,
    ],
    'of ten megabytes': [
      'a'.repeat(10_000_000),
      `${PATH}:1:1: error: cannot read ${PATH}: it has 9.6 MiB, and the limit is 1 MiB`,
    ],
    'in UTF-32': [
      new Uint8Array([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]),
      `${PATH}:1:1: error: cannot read ${PATH}: it is UTF-32`,
    ],
    'in UTF-16 without a byte order mark': [
      new Uint8Array(Buffer.from(RUN, 'utf16le')),
      `${PATH}:1:1: error: cannot read ${PATH}: it is UTF-16`,
    ],
    'in UTF-16 with the other order of bytes': [
      new Uint8Array(Buffer.from(RUN, 'utf16le').swap16()),
      `${PATH}:1:1: error: cannot read ${PATH}: it is UTF-16`,
    ],
    'with the line ends of an old Macintosh': [
      'services:\r  a:\r',
      `${PATH}:1:10: error: YAML: the lines end with CR alone`,
    ],
    'in UTF-16': [new Uint8Array([0xff, 0xfe, 0x61, 0]), `${PATH}:1:1: error: cannot read ${PATH}: it is UTF-16`],
    'with a byte that is no UTF-8': [
      new Uint8Array([...new TextEncoder().encode('a: b\nc: '), 0xe4, 0x0a]),
      `${PATH}:2:4: error: cannot read ${PATH}: it is not UTF-8`,
    ],
    'with such a byte after a real U+FFFD': [
      new Uint8Array([...new TextEncoder().encode('\ufeff# é \ufffd\na: \ufffdb\nc: '), 0xe4, 0x0a]),
      `${PATH}:3:4: error: cannot read ${PATH}: it is not UTF-8`,
    ],
    'that is empty': ['', `${PATH}:1:1: error: the file is empty: it needs a service`],
    'of comments only': ['# nothing\n', `${PATH}:1:1: error: the file has only comments: it needs a service`],
    'that is a text': ['hello', `${PATH}:1:1: error: the file must be a map with \`services\`, not "hello"`],
    'that is a list': ['- a\n', `${PATH}:1:1: error: the file must be a map with \`services\`, not a list`],
    'without services': ['name: x\n', `${PATH}:1:1: error: the file has no \`services\``],
    'with no service': ['services: {}\n', `${PATH}:1:11: error: \`services\` is empty: it needs a service`],
    'with empty services': ['services:\n', `${PATH}:1:10: error: \`services\` is empty: it needs a service`],
    'with services in a list': [
      'services: [{ command: run }]\n',
      `${PATH}:1:11: error: \`services\` must be a map of names and services, not a list`,
    ],
    'of two documents': [
      `${RUN}---\n${RUN}`,
      `${PATH}:2:1: error: the file holds more than one document: it must have one document`,
    ],
    'with a byte order mark': [`\ufeff${RUN}`, 'ok'],
    'with Windows line ends': [RUN.replaceAll('\n', '\r\n'), 'ok'],
    'between document marks': [`---\n${RUN}...\n`, 'ok'],
    'with extension keys': [`x-any: [1, {b: c}]\n${RUN}`, 'ok'],
  };
  for (const [title, [contents, expected]] of Object.entries(cases)) {
    test(title, () => expect(firstLine(contents)).toBe(expected));
  }

  test('of exactly 1 MiB is accepted', () => {
    expect(firstLine(RUN + '#'.repeat(1024 * 1024 - RUN.length))).toBe('ok');
    expect(firstLine(RUN + '#'.repeat(1024 * 1024 - RUN.length + 1))).toContain('the limit is 1 MiB');
  });

  test('that is not a regular file is not opened', () => {
    const files = {
      read: () => {
        throw new Error('would wait for ever');
      },
      stat: () => ({ size: 0, isDirectory: false, isFile: false }),
      list: () => null,
    };
    const loaded = loadConfig('/dev/zero', files, {});
    expect(loaded.ok ? '' : loaded.error.diagnostics[0]?.message).toBe(
      'cannot read /dev/zero: it is not a regular file',
    );
  });
});

describe('YAML', () => {
  test('anchors, aliases and merge keys work as in Compose files', () => {
    const text = `
x-base: &base
  command: run
  env: { A: base, B: base }
  stop: INT
x-more: &more { nice: 5, stop: HUP }
services:
  a:
    <<: *base
    env: { A: own }
  b:
    <<: [*base, *more]
  c: *base
`;
    const { services } = planOf(text);
    expect(
      services.map(({ name, attributes, stop, env }) => [name, attributes.nice, stop.signal, env.A, env.B]),
    ).toEqual([
      ['a', null, 'SIGINT', 'own', undefined],
      ['b', 5, 'SIGINT', 'base', 'base'],
      ['c', null, 'SIGINT', 'base', 'base'],
    ]);
  });

  test('a key may have an anchor, of which an alias is the text of the key', () => {
    const text = 'x-a: { &a run: 1 }\nservices: { w: { command: [*a, x] } }\n';
    // The block makes the thorough reader read the text.
    for (const one of [text, `${text}x-b: |+\n  y\n`]) expect(planOf(one).services[0]?.argv).toEqual(['run', 'x']);
  });

  test('a merge of something other than a map is refused', () => {
    expect(messages('x: &x 1\nservices:\n  a:\n    <<: *x\n    command: run\n')).toContain(
      '`<<` merges maps, and this is not a map',
    );
  });

  test('a merge of an unknown alias is one error', () => {
    expect(messages('services:\n  a:\n    <<: [*x, *y]\n    command: run\n')).toEqual([
      'there is no anchor `&x` before this alias',
      'there is no anchor `&y` before this alias',
    ]);
  });

  test('an unknown alias suggests the closest anchor', () => {
    expect(printed('x-base: &base { command: run }\nservices:\n  a: *bsae\n')).toBe(
      `services.yaml:3:6: error: there is no anchor \`&bsae\` before this alias
   3 |   a: *bsae
     |      ~~~~~
     help: did you mean \`base\`?
`,
    );
  });

  test('an alias inside its own anchor is refused', () => {
    expect(messages('services: &s\n  a: { command: run, depends_on: *s }\n')).toContain(
      'the alias `*s` is inside its own anchor',
    );
  });

  test('tags are refused everywhere, also those of the core schema', () => {
    for (const [line, tag] of [
      ['command: ! test -e /x', '!'],
      ['command: !run x', '!run'],
      ['command: [run, !!str 5]', '!!str'],
      ['command: [run, ! x]', '!'],
      ['command: !<tag:yaml.org,2002:str> x', '!<tag:yaml.org,2002:str>'],
      ['command: &a !x run', '!x'],
      ['! command: run', '!'],
      ['env: !!map { A: b }', '!!map'],
      ['command: !!null', '!!null'],
      ['command: ! |\n      run', '!'],
    ] as const) {
      expect([line, messages(oneService(line))]).toEqual([
        line,
        [`\`${tag}\` is a YAML tag, and tags are not supported`],
      ]);
    }
  });

  test('an exclamation mark that is not a tag is text', () => {
    const command = ['run', 'a!', 'b !c', '!d', '!e'];
    expect(serviceOf(oneService('command: [run, a!, b !c, "!d", \'!e\']')).argv).toEqual(command);
    expect(serviceOf(oneService('command: |', '  ! run')).argv.at(-1)).toBe('! run\n');
  });

  test('keys that are not texts are refused', () => {
    expect(messages(`${RUN}? [a]\n: b\n`)).toContain('a key must be a text');
    expect(messages('services:\n  a:\n    command: run\n    env: { {{ x }}: y }\n')).toContain('a key must be a text');
  });

  test('a number is accepted as a name', () => {
    expect(planOf('services: { 1: { command: run } }\n').services[0]?.name).toBe('1');
  });

  test('a block of lines is one command', () => {
    expect(serviceOf('services:\n  a:\n    command: |\n      set -e\n      exec run\n').argv).toEqual([
      '/bin/sh',
      '-c',
      'set -e\nexec run\n',
    ]);
  });

  test('names of JavaScript properties are ordinary keys', () => {
    const service = serviceOf(oneService('command: run', 'env: { __proto__: x, constructor: y, hasOwnProperty: z }'));
    expect(Object.entries(service.env).filter(([, value]) => 'xyz'.includes(value)).length).toBe(3);
    expect(messages('services: { __proto__: { command: run } }\n')).toEqual([
      '"__proto__" cannot be the name of a service',
    ]);
    expect(messages(`${RUN}__proto__: 1\nconstructor: 2\n`)).toEqual([
      'unknown key `__proto__` in the file',
      'unknown key `constructor` in the file',
    ]);
  });
});

describe('syntax errors', () => {
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    'an unclosed list': ['services:\n  a: { command: [run }\n', '2:17: error: YAML: this `[` is never closed'],
    'a text with a colon': [
      'services:\n  a:\n    command: echo: it\n',
      '3:14: error: YAML: a text without quotes cannot contain `: `',
    ],
    'a tab': ['services:\n\ta:\n', '2:1: error: YAML: tabs are not allowed as indentation'],
    'a wrong indentation': ['services:\n  a:\n    command: run\n   port: 1\n', '4:4: error: YAML: '],
    'a reserved character': [
      'services:\n  a: { command: @run }\n',
      '2:17: error: YAML: a text without quotes cannot begin with `@`',
    ],
  };
  for (const [title, [text, expected]] of Object.entries(cases)) {
    test(`${title} is reported at its position`, () => expect(printed(text)).toContain(`services.yaml:${expected}`));
  }

  test('a reference in a flow list without quotes has a suggestion', () => {
    expect(printed('services:\n  a: { command: run, ports: [${PORT}] }\n')).toContain(
      'help: inside `[ ]` and `{ }` a reference to a variable must be in quotes',
    );
  });

  test('a reference outside of brackets has no suggestion about them', () => {
    const text = printed('services:\n  a: { command: run }\n  b:\n    command: run a,b ${X}: y\n');
    expect(text).toContain('`: `');
    expect(text).not.toContain('inside `[ ]`');
  });

  test('are reported together with earlier errors, without false errors after them', () => {
    expect(printed('nam: x\nservices:\n  a:\n    command: [run\n    prot: 5\n')).toMatch(
      /^services.yaml:1:1: error: unknown key `nam`[^:]*(\n.*)*error: YAML/,
    );
    expect(printed('nam: x\nservices:\n  a:\n    command: [run\n    prot: 5\n')).not.toContain('prot` in');
  });

  test('are limited in number', () => {
    const loaded = load(']'.repeat(1_000_000));
    expect(loaded.ok ? 0 : loaded.error.diagnostics.length).toBeLessThan(50);
  });
});

describe('limits', () => {
  function quickly(text: string): readonly string[] {
    const start = processorTime();
    const found = messages(text);
    expect(processorTime() - start).toBeLessThan(5000);
    return found;
  }

  for (const bracket of ['[', '{a: ', '- ', '? ', '{', '[{a: ']) {
    test(`100,000 nested ${JSON.stringify(bracket)} do not overflow the stack`, () => {
      expect(quickly(bracket.repeat(100_000).slice(0, 1_000_000))).toEqual([
        'the file is nested more than 100 levels deep',
      ]);
    });
  }

  test('aliases of aliases do not grow without limit', () => {
    const lines = Array.from(
      { length: 30 },
      (_, index) => `x-${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}]\n`,
    );
    expect(quickly(`x-0: &a0 [x]\n${lines.join('')}${RUN}`)).toEqual([
      'the file holds more than 250000 values when its aliases are resolved',
    ]);
  });

  test('merged maps count with their entries', () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}: [a, b, c]`).join(', ');
    const services = Array.from({ length: 1000 }, (_, index) => `  s${index}: { <<: *big }\n`).join('');
    expect(quickly(`x-big: &big { ${keys} }\nservices:\n${services}`)).toEqual([
      'the file holds more than 250000 values when its aliases are resolved',
    ]);
  });

  test('a chain of aliases is as deep as its target', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `x-${index + 1}: &a${index + 1} [*a${index}]\n`);
    expect(quickly(`x-0: &a0 [x]\n${lines.join('')}${RUN}`)).toEqual(['the file is nested more than 100 levels deep']);
  });

  test('1,000 services with shared settings are loaded', () => {
    const services = Array.from(
      { length: 1000 },
      (_, index) =>
        `  s${index}:\n    <<: *base\n    port: ${1000 + index}\n    depends_on: [${index > 0 ? `s${index - 1}` : ''}]\n`,
    );
    const text = `x-base: &base\n  command: run\n  env: { A: 1, B: 2, C: 3 }\n  ready: { http: /health }\nservices:\n${services.join('')}`;
    const start = processorTime();
    expect(planOf(text).services.length).toBe(1000);
    expect(processorTime() - start).toBeLessThan(3000);
  });

  test('100,000 dangling dependencies are found in one pass', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `n${index}`).join(',');
    const start = processorTime();
    const loaded = load(oneService('command: run', `depends_on: [${names}]`));
    expect(processorTime() - start).toBeLessThan(10_000);
    expect(loaded.ok ? 0 : loaded.error.diagnostics.length).toBe(100_000);
    if (!loaded.ok) expect(renderDiagnostics(loaded.error)).toContain('... and 99950 more');
  });

  test('a NUL anywhere is reported and not printed', () => {
    for (const text of ['\0', `${RUN}\0`, 'services: { a: { command: "\0" } }\n', 'a\0b: c\n', '# \0\n']) {
      expect(printed(text)).not.toContain('\0');
    }
    expect(messages('a\0b: c\n')).toContain('a key contains a NUL character');
  });
});

describe('a draft', () => {
  test('of a text has the valid parts and all diagnostics', () => {
    const { config, diagnostics, sources } = parseDraft('x.yaml', `nmae: x\n${RUN}`, {});
    expect(config?.services.map(({ name }) => name)).toEqual(['a']);
    expect(diagnostics.map(({ code }) => code)).toEqual(['unknown-key']);
    expect(sources.get('x.yaml')).toContain('nmae');
  });

  test('locates values, keys, list items, and values from the defaults', () => {
    const text = 'defaults: { nice: 3 }\nservices:\n  a:\n    command: [run, x]\n    ready: { log: y }\n';
    const { config } = parseDraft('x.yaml', text, {});
    const at = (...path: (string | number)[]) => {
      const range = config?.locate(path).range;
      return `${range?.line}:${range?.column}-${range?.endColumn}`;
    };
    expect(at('services', 'a', 'command', 1)).toBe('4:20-21');
    expect(at('services', 'a', 'ready', 0, 'log')).toBe('5:19-20');
    expect(at('services', 'a', 'nice')).toBe('1:19-20');
    expect(at('services', 'a', 'missing')).toBe('3:3-4');
    expect(config?.locateKey(['services', 'a', 'command']).range.column).toBe(5);
    expect(config?.locateKey(['services', 'a', 'nice']).range.line).toBe(1);
  });
});
