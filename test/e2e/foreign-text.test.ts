// Text from outside on a terminal: names of processes, results of probes, output of commands. Control characters and invisible
// characters are escaped wherever such text is shown; the output of services is unchanged.
import { expect, test } from 'bun:test';
import { freePort, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

/** ESC, a newline that forges a line of svc-super, C1 (CSI, OSC), overrides, isolates, invisible ones, a line separator. */
const EVIL = '\x1b[2J\nsvc-super | forged\u009b31m\u009d0;t\x07\u202egnp\u2066\u200f\u200b\u2028end';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;
const isSafe = (text: string) => !UNSAFE.test(text);

const COMMANDS = [
  'status',
  'status --json',
  'events',
  'events --json',
  'health',
  'health --json',
  'logs --json',
  'graph',
  'graph --dot',
  'graph --json',
  'timeline',
  'timeline --svg -',
  'timeline --json',
  'wait --timeout 1s',
  'start no\u202esuch\u009b',
];

/** The lines of svc-super, without those of services. */
const ownLines = (run: Run) => run.lines.filter((line) => line.startsWith('svc-super'));

test('the name of a cleaned-up process cannot forge a line', async () => {
  await using run = await up({ services: { a: played(), b: played() } });
  const a = await run.puppet('a');
  await run.puppet('b');
  // The kernel keeps 15 bytes of a name (prctl(2)).
  await a.spawn('left', { session: true, title: 'x\n\x1b[31m\u009b\u202ey' });
  await run.puppet('left');
  await a.exit(0);
  await run.line(/svc-super \| .*x\\n\\x1b\[31m\\x9b\\u202ey/);
  run.signal('SIGTERM');
  await run.ends(0);
  expect(ownLines(run).filter((line) => !isSafe(line))).toEqual([]);
});

test('the response to a probe is escaped in the log, status, wait, events and every other command', async () => {
  const port = await freePort();
  const json = { path: 'model', equals: 'ready' };
  await using run = await up({
    services: {
      a: played({ ready: { http: { url: `http://127.0.0.1:${port}/`, json }, timeout: '2s' } }),
      b: played({ hooks: { before_start: ['sh', '-c', 'printf "%s" "$0"; exit 1', EVIL] }, essential: false }),
      c: { command: ['printf', '%s\\n', `out ${EVIL}`], type: 'task' },
    },
  });
  const a = await run.puppet('a');
  await a.listen(port);
  await a.respond(200, JSON.stringify({ model: EVIL }));
  await until(
    'the reason',
    async () => /^a .*model is/m.test((await run.command('status')).stdout),
    () => run.output.text(),
  );
  for (const line of COMMANDS) {
    const { stdout, stderr } = await run.command(...line.split(' '));
    expect([line, isSafe(stdout), isSafe(stderr)]).toEqual([line, true, true]);
  }
  // JSON contains the same text.
  const { services } = JSON.parse((await run.command('status', '--json')).stdout) as {
    services: { name: string; reason: string | null }[];
  };
  expect(services.find(({ name }) => name === 'a')?.reason).toContain('\u202egnp');
  await a.exit(3);
  await run.ends(3);
  expect(ownLines(run).filter((line) => !isSafe(line))).toEqual([]);
  // The output of a service is not changed.
  expect(run.output.bytes('stdout').toString()).toContain('\u202e');
});

test('the last lines of a service are escaped in the post-mortem', async () => {
  await using run = await up({
    services: { a: { command: ['sh', '-c', 'printf "%s\\n" "$0"; exit 3', `say ${EVIL.replace('\n', '')}`] } },
  });
  await run.ends(3);
  await run.line(/last line of a:/);
  const words = ownLines(run).filter((line) => line.includes('  say '));
  expect(words.length).toBe(1);
  expect(words.every(isSafe)).toBe(true);
});

test('`check` escapes quoted text, and findings on the machine', async () => {
  const config = { services: { a: { command: ['/nowhere\x1b[2J\u202e\u009b'], depends_on: ['x\u202e\u009b'] } } };
  await using run = await up(config, { args: ['check', '--runtime'] });
  await run.ends(78);
  expect(isSafe(run.output.bytes('stderr').toString())).toBe(true);
  expect(isSafe(run.output.bytes('stdout').toString())).toBe(true);
});
