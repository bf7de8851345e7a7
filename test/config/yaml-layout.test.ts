// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Usual mistakes in the layout of YAML, read as a beginner would: the first message names the line that is wrong and what to write.
import { describe, expect, test } from 'bun:test';
import { messages, oneService, printed } from './rig.ts';

/** The file; the first line that is printed, and its help. */
const LAYOUTS: readonly (readonly [title: string, file: string, says: string, help: string])[] = [
  [
    'a line of a text in quotes that begins in the first column',
    'services:\n  a:\n    command: "x\ny"\n    port: 80\n',
    '4:1: error: YAML: this line continues the text of line 3, and is not indented enough',
    'indent it further than `command`',
  ],
  [
    'such a line that looks like a key',
    "services:\n  a:\n    command: 'x\n  y: z'  # c\n    port: 80\n",
    '4:3: error: YAML: this line continues the text of line 3, and is not indented enough',
    'indent it further than `command`',
  ],
  [
    'a text that is never closed, before one that is',
    'services:\n  a:\n    command: "x\n    env: {A: "b"}\n',
    '3:14: error: YAML: this `"` is never closed',
    'write a `"` at the end of the text, or put a text that contains a `"` in single quotes',
  ],
  [
    'a line of a block that is not indented',
    'services:\n  a:\n    command: |\n    x\n    y\n    port: 80\n',
    '4:5: error: YAML: this line belongs to the text of `command`, and is not indented enough',
    'indent each line of the text further than `command`',
  ],
  [
    'a text on the line of its `|`',
    oneService('command: | x y'),
    '3:16: error: YAML: text follows `|`, which begins a text of several lines',
    'begin the text on the next line, indented further than `command`, or put it in quotes if the `|` is part of it',
  ],
  [
    'no space after the colon',
    oneService('command: x', 'port:80'),
    '4:5: error: YAML: a space is missing after the `:`',
    'write `port: 80`',
  ],
  [
    'no space after the colon of the first field',
    oneService('command:x'),
    '3:5: error: `a` must be a map of service fields, not "command:x"',
    'a space is missing after the `:`: write `command: x`',
  ],
  [
    'no colon',
    oneService('command: x', 'port 80'),
    '4:5: error: YAML: a `:` is missing after `port`',
    'write `port: 80`, or indent the line further if it continues the text above',
  ],
  [
    'no colon after the first field',
    oneService('command x'),
    '3:5: error: `a` must be a map of service fields, not "command x"',
    'a `:` is missing after `command`: write `command: x`',
  ],
  [
    'no colon after a name',
    'services:\n  a\n    command: x\n',
    '2:3: error: YAML: a `:` is missing after `a`',
    'write `a:`, or indent the line further if it continues the text above',
  ],
  [
    '`=` in place of a colon',
    oneService('command: x', 'port=80'),
    '4:5: error: YAML: a `:` is missing after `port`',
    'write `port: 80`, or indent the line further if it continues the text above',
  ],
  [
    'a comment of another language',
    oneService('command: x', '// y'),
    '4:5: error: YAML: this line is not `key: value`',
    'a comment begins with `#`',
  ],
  [
    'a key that is indented too far',
    oneService('command: x', '  port: 80', '  env: {}'),
    '4:7: error: YAML: `port` is indented further than `command` above it, which has a value already',
    'write `port` in the column of `command`, or remove the value of `command`',
  ],
  [
    'a key that is indented too far, after a text in quotes',
    oneService('command: "x"', '  port: 80'),
    '4:7: error: YAML: `port` is indented further than `command` above it, which has a value already',
    'write `port` in the column of `command`, or remove the value of `command`',
  ],
  [
    'a key that is indented too little',
    oneService('command: x').concat('   port: 80\n'),
    '4:4: error: YAML: keys of one map must begin in the same column',
    'write `port` in the column of `command` above, or in that of the map around it',
  ],
  [
    'a field in the column of the name of its service',
    'services:\n  a:\n    command: x\n  port: 80\n',
    '4:9: error: `port` must be a map of service fields, not 80',
    'indent it further than the name of the service if it is a field of that service',
  ],
  [
    'all fields in the column of the name of their service',
    'services:\n  a:\n  command: x\n',
    '2:3: error: the service `a` has no `command`',
    'indent its fields further than its name',
  ],
  [
    'services in the column of `services`',
    'services:\na:\n  command: x\n',
    '1:10: error: `services` is empty: it needs a service',
    'add a service below it, indented by two spaces: `web: {command: …}`',
  ],
  [
    'a service without `services`',
    'a:\n  command: x\n',
    '1:1: error: unknown key `a` in the file',
    'write it below `services:`, indented, if it is a service',
  ],
  [
    'an item without `- `',
    oneService('command: x', 'depends_on:', '  - b', '  c'),
    '6:7: error: YAML: a `- ` is missing: the lines above are items of a list',
    'write `- c`',
  ],
  [
    'no item with `- `',
    oneService('command: x', 'depends_on:', '  b', '  c'),
    '5:7: error: `depends_on` must be a list of services, or a map of services and conditions, not "b c"',
    'write `- ` before each item: `- b`',
  ],
  [
    'no space after `-`',
    oneService('command: x', 'depends_on:', '  -b', '  -c'),
    '5:7: error: `depends_on` must be a list of services, or a map of services and conditions, not "-b -c"',
    'a space is missing after the `-`: write `- b`',
  ],
  [
    'an item between keys',
    oneService('depends_on:', 'command: x', '- b'),
    '5:5: error: YAML: an item of a list stands between the keys of a map',
    'write it directly below the key that has the list',
  ],
  [
    'items in two columns',
    oneService('command:', '  - x', ' - y'),
    '5:6: error: YAML: items of one list must begin in the same column',
    'indent this line like the lines above that it belongs to',
  ],
  [
    'an item with `: `',
    oneService('command:', '  - sh', '  - x y: z'),
    '5:9: error: an item of `command` must be a text, not a map',
    "a text that contains `: ` must be in quotes: `'x y: z'`",
  ],
  [
    'variables as in Compose',
    oneService('command: x', 'env:', '  - A=b'),
    '5:7: error: `env` must be a map of variables, not a list',
    'write `A: b`',
  ],
  [
    'a no-break space before a key',
    oneService('command: x', '\u00a0port: 80'),
    '4:5: error: unknown key `\u00a0port` in a service',
    'the line contains U+00A0, which is not a space: type its spaces again',
  ],
  [
    'a comma that is missing in JSON',
    '{"services": {"a": {\n  "command": "x"\n  "port": 80\n}}}\n',
    '3:3: error: YAML: a `,` is missing before this',
    'write a `,` between two items',
  ],
  [
    'a bracket in a comment',
    oneService('command: x', 'env: {A: #b}'),
    '4:10: error: YAML: this `{` is never closed',
    'a `#` after a space begins a comment, which contains the `}`: put a text that contains a `#` in quotes',
  ],
  [
    'a text that begins with `*`',
    oneService('command: *.sh'),
    '3:14: error: there is no anchor `&.sh` before this alias',
    "mark the value that is meant with `&.sh`, or write `'*.sh'` if the `*` is part of the text",
  ],
];

describe('the first message is about', () => {
  for (const [title, file, says, help] of LAYOUTS) {
    test(title, () => {
      const lines = printed(file).split('\n');
      expect([lines[0], lines[3]]).toEqual([`services.yaml:${says}`, `     help: ${help}`]);
    });
  }
});

test('what only follows from the first mistake is not reported', () => {
  expect(messages('services:\n  a:\n    command: "x\ny z\n  w: v"\n    port: 80\n').length).toBe(1);
  expect(messages('services:\n  a:\n    command: |\n    x\n    y\n    port: 80\n').length).toBe(1);
  expect(messages(oneService('command: x', '  port: 80', '  env: {}')).length).toBe(1);
});
