// The messages for values that YAML reads differently than intended: tags, quotes, brackets, aliases, patterns.
import { describe, expect, test } from 'bun:test';
import { oneService, printed } from './rig.ts';

/** What is written after `command: `; the place and the message; the help. */
const VALUES: readonly (readonly [title: string, value: string, says: string, help: string])[] = [
  [
    'the `!` of a shell is put in quotes',
    '! test -e /x # c',
    '3:14: error: `!` is a YAML tag, and tags are not supported',
    "write `'! test -e /x'` if the `!` is part of the text; remove it otherwise",
  ],
  [
    'in a list, the quotes are those of one item',
    '[run, ! x, y]',
    '3:20: error: `!` is a YAML tag, and tags are not supported',
    "write `'! x'` if the `!` is part of the text; remove it otherwise",
  ],
  [
    'a tag before a quoted text is to be removed',
    '!!str "x"',
    '3:14: error: `!!str` is a YAML tag, and tags are not supported',
    'remove the tag: the schema defines the type of each value',
  ],
  [
    'a quoted program with arguments is put in other quotes',
    '"/x y" --z',
    '3:21: error: YAML: text follows the closing `"`: a value that begins with a quote ends at the next quote',
    `write \`'"/x y" --z'\``,
  ],
  [
    'both kinds of quotes are distinguished',
    `'/x y' "z"`,
    "3:21: error: YAML: text follows the closing `'`: a value that begins with a quote ends at the next quote",
    `write \`'''/x y'' "z"'\``,
  ],
  [
    'an apostrophe within single quotes is doubled',
    "'it's'",
    "3:18: error: YAML: text follows the closing `'`: a value that begins with a quote ends at the next quote",
    "write `'it''s'`",
  ],
  [
    'a quote within double quotes is escaped',
    '"say "hi" now"',
    '3:20: error: YAML: text follows the closing `"`: a value that begins with a quote ends at the next quote',
    'write `"say \\"hi\\" now"`',
  ],
  [
    'in a list a comma may be missing',
    '["/x y" --z, b]',
    '3:22: error: YAML: text follows the closing `"`: a value that begins with a quote ends at the next quote',
    `write \`'"/x y" --z'\`, or a \`,\` between two items`,
  ],
  [
    'an unclosed quote points to where it opens, whatever follows',
    '"/x y --z\n    port: 80\n  b:\n    command: "true"',
    '3:14: error: YAML: this `"` is never closed',
    'write a `"` at the end of the text, or put a text that contains a `"` in single quotes',
  ],
  [
    'an unclosed quote that the next one closes points to where it opens',
    '"/x\n      y: "z"',
    '3:14: error: YAML: the text that this `"` opens ends on a later line, and more text follows there',
    'is the closing `"` missing on this line?',
  ],
  [
    'an unclosed quote in a list points to where it opens',
    "[a, 'b, c]\n    port: 80",
    "3:18: error: YAML: this `'` is never closed",
    "write a `'` at the end of the text, or put a text that contains a `'` in double quotes",
  ],
  [
    'an unclosed bracket points to where it opens',
    '[a, {b: c}, [d]\n    port: 80',
    '3:14: error: YAML: this `[` is never closed',
    'write a `]` after the last item, or put a text that begins with `[` in quotes',
  ],
  [
    'text behind a list is text',
    '[ -e /x ] || run',
    '3:24: error: YAML: text follows the closing `]`',
    "write `'[ -e /x ] || run'` if it is one text",
  ],
  [
    'a bracket too many is named',
    '[a, b]]',
    '3:20: error: YAML: there is no `[` for this `]`',
    'remove it, or put a text that contains it in quotes',
  ],
  [
    'a text that begins with `*` is put in quotes',
    '*x y',
    '3:17: error: YAML: text follows the alias `*x`',
    "write `'*x y'` if the `*` is part of the text",
  ],
  [
    'a text that begins with a reserved character is put in quotes',
    '@x y',
    '3:14: error: YAML: a text without quotes cannot begin with `@`',
    "write `'@x y'`",
  ],
  [
    'a text with a colon is put in quotes',
    "echo it's: b",
    '3:14: error: YAML: a text without quotes cannot contain `: `',
    'write `"echo it\'s: b"`',
  ],
];

describe('a value that YAML reads differently', () => {
  for (const [title, value, says, help] of VALUES) {
    test(`${title}: ${value.replaceAll('\n', '⏎')}`, () => {
      const text = printed(oneService(`command: ${value}`));
      expect(text).toContain(`services.yaml:${says}\n`);
      expect(text).toContain(`     help: ${help}\n`);
    });
  }

  test('the suggested text is valid', () => {
    for (const written of [`'"/x y" --z'`, `'''/x y'' "z"'`, "'it''s'", '"say \\"hi\\" now"', "'! test -e /x'"]) {
      expect([written, printed(oneService(`command: ${written}`))]).toEqual([written, '']);
    }
  });
});

describe('an invalid pattern names RE2 and what RE2 lacks', () => {
  const patterns: Readonly<Record<string, string>> = {
    '(?=x)y': 'RE2 has no look-ahead: `(?=`',
    'a(?!x)y': 'RE2 has no look-ahead: `(?!`',
    '(?<=x)y': 'RE2 has no look-behind: `(?<=`',
    '(?<!x)y': 'RE2 has no look-behind: `(?<!`',
    '(a)\\1': 'RE2 has no back references: `\\1`',
    '(?P<n>a)(?P=n)': 'RE2 has no back references: `(?P=`',
    '(?<n>a)\\k<n>': 'RE2 has no back references: `\\k`',
    '(?>a)': 'RE2 has no atomic groups and no possessive repetition: `(?>`',
    'a++': 'RE2 has no atomic groups and no possessive repetition: `++`',
    'a{2}+': 'RE2 has no atomic groups and no possessive repetition: `{2}+`',
    'a{2}{3}': 'RE2 has no repetition of a repetition: `{2}{3}`',
    '(?-x)a': 'RE2 has no extended syntax (the flag `x`): `(?-`',
    '(a)(?1)': 'RE2 has no recursion: `(?1`',
    '(?(1)a)': 'RE2 has no conditions: `(?(`',
    'a\\Z': 'RE2 has no such escape: `\\Z`',
    'a{2000}': 'RE2 has no more than 1000 repetitions: `{2000}`',
  };
  for (const [pattern, why] of Object.entries(patterns)) {
    test(pattern, () => {
      const text = printed(oneService('command: run', `ready: { log: '${pattern}' }`));
      expect(text).toContain(`error: \`log\` is not a valid regular expression: ${why}\n`);
      expect(text).toMatch(/help: (?:patterns follow RE2|write)/);
    });
  }

  test('a mistake unrelated to RE2 has its own message', () => {
    expect(printed(oneService('command: run', "ready: { log: '[a' }"))).toContain(': missing closing ]: `[a`\n');
  });
});

describe('did you mean', () => {
  const lines: Readonly<Record<string, string>> = {
    'type: oneshot': 'task',
    'type: job': 'task',
    'type: simple': 'service',
    'restart: no': 'never',
    'restart: "no"': 'never',
    'restart: false': 'never',
    'restart: unless-stopped': 'always',
    'restart: UNLESS_STOPPED': 'always',
    'restart: on-failure:3': '{policy: on-failure, max: 3}',
    'restart: { policy: unless-stopped }': 'always',
    'stop: { to: control-group }': 'group',
    'depends_on: { b: healthy }': 'ready',
    'depends_on: { b: service_healthy }': 'ready',
    'depends_on: { b: { condition: healthy } }': 'ready',
    'depends_on: { b: done }': 'completed',
    'depends_on: { b: process_completed }': 'exited',
    'ready: 8080': '{tcp: 8080}',
    'ready: "127.0.0.1:80"': '{tcp: "127.0.0.1:80"}',
    'ready: /health': '{http: /health}',
    'ready: http://127.0.0.1:80/x': '{http: "http://127.0.0.1:80/x"}',
    'ready: /run/x.sock': '{tcp: {socket: /run/x.sock}}',
    'ready: tcp': '{tcp: true}',
    'ready: [8080]': '{tcp: 8080}',
    'live: curl -f localhost': '{exec: curl -f localhost}',
    'ready: { http: 8080 }': 'http: {port: 8080}',
    'ready: { http: localhost:80/x }': 'http://localhost:80/x',
    'ready: { tcp: /run/x.sock }': 'tcp: {socket: /run/x.sock}',
    'ready: { tcp: "unix:/run/x.sock" }': 'tcp: {socket: /run/x.sock}',
  };
  for (const [line, meant] of Object.entries(lines)) {
    test(`${line}: ${meant}`, () => {
      const text = `${oneService('command: run', line)}  b: { command: run }\n`;
      expect(printed(text)).toContain(`     help: did you mean \`${meant}\`?\n`);
    });
  }

  test('a misspelt word of another system has the advice for that word', () => {
    expect(printed(oneService('command: run', 'enviroment: {A: b}'))).toContain(
      'help: `environment`: it is called `env`\n',
    );
  });

  test('an invalid port has a suggestion', () => {
    expect(printed(oneService('command: run', 'ready: {tcp: 70100}'))).toContain(
      'help: a port is a number from 1 to 65535\n',
    );
  });

  test('`exit: any` means `first`', () => {
    expect(printed(`exit: any\n${oneService('command: run')}`)).toContain('help: did you mean `first`?\n');
  });

  test('`ready: healthy` lists the kinds of probes', () => {
    expect(printed(oneService('command: run', 'ready: healthy'))).toContain(
      'help: a probe is a map with one of `http`, `tcp`, `exec`, `log`, `file`, `notify`\n',
    );
  });

  const keys: Readonly<Record<string, string>> = {
    deploy: 'use `replicas`, `restart`, `gpus` and `memory_limit`; set a limit for processors on the container',
    healthy: 'it is called `ready` (and `live`)',
    readiness: 'it is called `ready`',
    oneshot: 'write `type: task`',
    start_interval: 'it belongs in a probe: `ready: {http: …, start_interval: 1s}`',
  };
  for (const [key, help] of Object.entries(keys)) {
    test(`the key \`${key}\`: ${help}`, () => {
      expect(printed(oneService('command: run', `${key}: x`))).toContain(`     help: ${help}\n`);
    });
  }
});
