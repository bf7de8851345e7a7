// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Start scripts: that the parser finds the same commands and the same `&` as shfmt (Debian's), and what each kind of statement
// becomes.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { forEachChild, parse, type SyntaxNode } from 'unbash';
import { skipWhen } from '../../helpers/skip.ts';
import { importText, inputOf, lines, SOURCES, yamlOf } from './rig.ts';

const script = (...statements: readonly string[]) => ['#!/bin/bash', ...statements, ''].join('\n');

/** The services of the result, without comments. */
async function servicesOf(...statements: readonly string[]): Promise<string> {
  const text = await yamlOf('start.sh', script(...statements));
  return text.replaceAll(/^ *#.*\n/gm, '').replaceAll(/\n\n/g, '\n');
}

async function findingsOf(...statements: readonly string[]): Promise<string> {
  const result = await importText('start.sh', script(...statements));
  return result.ok ? lines(result.findings).join('\n') : result.message;
}

test('a job that the script waits for before it starts more is a task', async () => {
  expect(await servicesOf('python train.py &', 'wait $!', 'nginx -g "daemon off;"')).toBe(
    'services:\n  train:\n    command: [python, train.py]\n    type: task\n    essential: false\n  nginx:\n    command: [nginx, -g, daemon off;]\n    depends_on: { train: exited }\n',
  );
  expect(await servicesOf('python migrate.py &', 'wait $!', 'a &', 'b &', 'wait -n')).not.toContain('exit: all');
  const tidied = await servicesOf('python serve.py &', 'wait $!', 'rm -f /tmp/x');
  expect(tidied).toContain('  serve:\n    command: [python, serve.py]\n  prepare:');
});

test('the `&` of a background statement is removed, and no other, before a heredoc', async () => {
  const services = await servicesOf('{ test -d /srv &&', '  cat > /tmp/x; } <<EOF &', 'text', 'EOF', 'serve --all');
  expect(services).toContain('test -d /srv &&\n');
  expect(services).not.toContain('<<EOF &');
});

test('the shell of a first line with `env -S`', async () => {
  const text = await yamlOf('start.sh', '#!/usr/bin/env -S bash\n[[ -d /srv ]] && serve &\nother\n');
  expect(text).toContain('[bash, -c, ');
});

test('a program that replaces a subshell does not replace the script', async () => {
  const text = await servicesOf('if [ -d /srv ]; then', '  (exec migrate)', 'fi', 'exec serve');
  expect(text).toContain('  serve:');
  expect(text).toContain('type: task');
});

test('one wait after the other waits for all that they name', async () => {
  const both = await servicesOf('a x &', 'A=$!', 'b z &', 'B=$!', 'wait $B', 'wait $A');
  expect(both).toBe('exit: all\nservices:\n  a:\n    command: [a, x]\n  b:\n    command: [b, z]\n');
});

test('`env` with a program starts it; without one it prints', async () => {
  expect(await servicesOf('env MODE=a migrate --all', 'exec python app.py')).toContain('MODE=a');
  expect(await servicesOf('env FOO=bar python worker.py &', 'nginx')).toContain('  worker:\n');
  expect(await findingsOf('env', 'env A=b', 'nginx')).toContain('env A=b: left out: svc-super itself prints');
});

test('`set`: the last of -e and +e applies, and arguments of the script are not options', async () => {
  const after = ['python migrate.py', 'exec nginx'];
  expect(await servicesOf('set -euo pipefail', ...after)).toContain('{ migrate: completed }');
  for (const off of ['set +e', 'set +o errexit', 'set -e +e'])
    expect(await servicesOf('set -e', off, ...after)).toContain('{ migrate: exited }');
  expect(await servicesOf('set -- -e', ...after)).toContain('{ migrate: exited }');
  const lost = 'set -- a b: it sets the arguments of the script (`$1`, `$@`), and a service has none';
  expect(await findingsOf('set -- a b', ...after)).toContain(lost);
  expect(await findingsOf('set -e x', ...after)).toContain('it sets the arguments');
  expect(await findingsOf('set -x', ...after)).toMatch(/set -x: it is about the shell$/m);
});

test.each([
  ['/usr/local/bin/server', 'server'],
  ['/opt/vllm/bin/server', 'vllm'],
  ['(cd /srv/api && ./start.sh)', 'api'],
  ['(cd /srv/api && python main.py)', 'api'],
  ['./start.sh', 'start'],
])('a program with a usual name is called after its folder: %s', async (command, name) => {
  expect(await servicesOf(`${command} &`, 'nginx')).toContain(`  ${name}:\n`);
});

const noShfmt = Bun.which('shfmt') === null ? 'shfmt is not installed' : null;

describe.skipIf(skipWhen([noShfmt], 'the shell parser beside shfmt'))('the parser', () => {
  interface Tree {
    readonly Background?: boolean;
    readonly Pos?: { readonly Offset: number };
    readonly Cmd?: { readonly Type?: string; readonly Args?: readonly { readonly Pos: { readonly Offset: number } }[] };
  }

  /** Offsets of the statements that run in the background, and of the first words of commands; null: it is no script. */
  function ofShfmt(
    text: string,
  ): { readonly background: readonly number[]; readonly commands: readonly number[] } | null {
    const { exitCode, stdout } = Bun.spawnSync(['shfmt', '-ln', 'bash', '--to-json'], { stdin: Buffer.from(text) });
    if (exitCode !== 0) return null;
    const background: number[] = [];
    const commands: number[] = [];
    const visit = (node: unknown): void => {
      if (Array.isArray(node)) for (const one of node) visit(one);
      if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
      const { Background, Pos, Cmd } = node as Tree;
      if (Background === true && Pos !== undefined) background.push(Pos.Offset);
      const [first] = Cmd?.Type === 'CallExpr' ? (Cmd.Args ?? []) : [];
      if (first !== undefined) commands.push(first.Pos.Offset);
      for (const one of Object.values(node)) visit(one);
    };
    visit(JSON.parse(stdout.toString()));
    return {
      background: [...background].sort((a, b) => a - b),
      commands: [...new Set(commands)].sort((a, b) => a - b),
    };
  }

  function ofUnbash(text: string): { readonly background: readonly number[]; readonly commands: readonly number[] } {
    const background: number[] = [];
    const commands: number[] = [];
    const visit = (node: SyntaxNode): void => {
      if (node.type === 'Statement' && node.background === true) background.push(node.pos);
      // shfmt has types of their own for these.
      const isDeclaration = /^(?:export|declare|local|readonly|typeset|nameref|let)$/;
      if (node.type === 'Command' && node.name !== undefined && !isDeclaration.test(node.name.value))
        commands.push(node.name.pos);
      forEachChild(node, visit);
    };
    visit(parse(text));
    return {
      background: [...background].sort((a, b) => a - b),
      commands: [...new Set(commands)].sort((a, b) => a - b),
    };
  }

  test.each(SOURCES.filter(({ format }) => format === 'start.sh').map(({ path }) => path))(
    'finds the same in %s',
    (path) => {
      const { text } = inputOf(path);
      expect(ofUnbash(text)).toEqual(ofShfmt(text) as never);
    },
  );

  const piece = fc.constantFrom(
    'a',
    'b "c d"',
    'x=1 y',
    '(cd d && z)',
    '{ p; q & }',
    'if t; then u & fi',
    'while v; do w; done',
    'for i in 1 2; do r; done',
    'case $m in n) o & ;; esac',
    'f() { g; }',
    's | t2',
    '! k',
    'e > f 2>&1',
    'h "$(j & l)"',
    '[[ -n $A ]]',
  );
  const joined = fc
    .tuple(piece, fc.constantFrom('\n', ' &\n', ' && a\n', ' || b\n', '; ', ' & '))
    .map((parts) => parts.join(''));

  test('finds the same in generated scripts', () => {
    const texts = fc.sample(
      fc.array(joined, { minLength: 1, maxLength: 5 }).map((parts) => `${parts.join('')}\n`),
      { numRuns: 60, seed: 2 },
    );
    let compared = 0;
    for (const text of texts) {
      const theirs = ofShfmt(text);
      if (theirs === null) continue;
      compared += 1;
      expect(ofUnbash(text), text).toEqual(theirs as never);
    }
    expect(compared).toBeGreaterThan(20);
  });
});

describe('a start script', () => {
  test('of the README becomes what a person would write', async () => {
    expect(
      await servicesOf(
        'export A=/models',
        'a serve "$M" \\',
        '  --port 9000 &',
        'until curl -sf localhost:9000/v1; do sleep 5; done',
        'b --port 8000 &',
        'wait -n',
        'exit $?',
      ),
    ).toBe(
      `env: { A: /models }
services:
  a:
    command: exec a serve "$M" --port 9000
    ready: { http: /v1 }
    port: 9000
  b:
    command: [b, --port, "8000"]
    depends_on: { a: ready }
    port: 8000
`,
    );
  });

  test.each([
    ['wait -n', 'a &\nb &\nwait -n', 'services:\n  a:\n    command: [a]\n  b:\n    command: [b]\n'],
    ['wait', 'a &\nb &\nwait', 'exit: all\nservices:\n  a:\n    command: [a]\n  b:\n    command: [b]\n'],
    [
      'wait for one',
      'a &\nP=$!\nb &\nwait $P',
      'services:\n  a:\n    command: [a]\n  b:\n    command: [b]\n    essential: false\n',
    ],
    [
      'a last program',
      'a &\nexec b',
      'services:\n  a:\n    command: [a]\n    essential: false\n  b:\n    command: [b]\n',
    ],
    [
      'a task',
      'set -e\nmigrate\nexec b',
      'services:\n  migrate:\n    command: [migrate]\n    type: task\n  b:\n    command: [b]\n    depends_on: { migrate: completed }\n',
    ],
    [
      'a file',
      'a > /f 2>&1 &\nwait',
      'exit: all\nservices:\n  a:\n    command: [a]\n    log: { file: { path: /f } }\n',
    ],
    [
      'tee',
      'a 2>&1 | tee -a /f &\nwait',
      'exit: all\nservices:\n  a:\n    command: [a]\n    log: { file: { path: /f } }\n',
    ],
    ['one stream into a file', 'a 2>&1 > /f', 'services:\n  a:\n    command: exec a 2>&1 > /f\n'],
    ['tee with a file of its own', 'a 2>&1 | tee /f > /g', 'services:\n  a:\n    command: a 2>&1 | tee /f > /g\n'],
    ['redirections of a group', '(cd /d && a) > /f 2>&1', 'services:\n  cd:\n    command: (cd /d && a) > /f 2>&1\n'],
    [
      'a computed variable',
      'A=$(x) B=1 gosu u a c',
      'services:\n  a:\n    command: |-\n      A=$(x)\n      B=1\n      export A B\n      exec a c\n    user: u\n',
    ],
    ['options of an init', 'tini -g -- setsid -w a', 'services:\n  a:\n    command: [a]\n'],
    ['options that mean something', 'exec -c a', 'services:\n  exec:\n    command: exec -c a\n'],
    [
      'a wait without end',
      'a --port 70 &\nwait-for-it localhost:70 -t 0\nwait',
      'exit: all\nservices:\n  a:\n    command: [a, --port, "70"]\n    ready: { tcp: true }\n    port: 70\n',
    ],
    [
      'a wait that also works',
      'a &\nuntil x; do echo || { y; }; done\nwait',
      'exit: all\nservices:\n  a:\n    command: [a]\n  prepare:\n    command: "until x; do echo || { y; }; done\\n"\n    type: task\n    essential: false\n',
    ],
    ['a folder', '(cd /d && exec a) &\nwait', 'exit: all\nservices:\n  a:\n    command: [a]\n    cwd: /d\n'],
    ['a user', 'exec gosu u a', 'services:\n  a:\n    command: [a]\n    user: u\n'],
    [
      'a switch',
      'if [ -n "$K" ]; then a & fi\nb',
      'services:\n  a:\n    command: [a]\n    enabled: ${K:+true}\n    essential: false\n  b:\n    command: [b]\n',
    ],
    ['a venv', '. /opt/v/bin/activate\na', 'services:\n  a:\n    command: [a]\n    venv: /opt/v\n'],
    [
      'a restart loop',
      'while true; do a; sleep 5; done &\nwait',
      'exit: all\nservices:\n  a:\n    command: [a]\n    restart: { policy: always, backoff: { initial: 5s, max: 5s } }\n',
    ],
    [
      'a restart loop with minutes',
      'while true; do a; sleep 5m; done &\nwait',
      'exit: all\nservices:\n  a:\n    command: [a]\n    restart: { policy: always, backoff: { initial: 5m, max: 5m } }\n',
    ],
    ['a default', 'export P=${P:-1}\na', 'env: { P: "${P:-1}" }\nservices:\n  a:\n    command: [a]\n'],
    [
      'a default with a single brace',
      'export P=${P:-{}\na',
      'services:\n  a:\n    command: |-\n      export P=${P:-{}\n      exec a\n',
    ],
    [
      'a socket',
      'a &\nuntil [ -S /run/a.sock ]; do sleep 1; done\nb',
      'services:\n  a:\n    command: [a]\n    ready: { tcp: { socket: /run/a.sock } }\n    essential: false\n  b:\n    command: [b]\n    depends_on: { a: ready }\n',
    ],
    [
      'a heredoc',
      'cat > /f <<E\nx $Y\nE\na',
      'services:\n  prepare:\n    command: |-\n      exec cat > /f <<E\n      x $Y\n      E\n    type: task\n    essential: false\n  a:\n    command: [a]\n    depends_on: { prepare: exited }\n',
    ],
    [
      'main',
      'main() {\n  a &\n  exec b\n}\nmain "$@"',
      'services:\n  a:\n    command: [a]\n    essential: false\n  b:\n    command: [b]\n',
    ],
    [
      'a loop that polls',
      'a &\nb &\nwhile sleep 60; do\n  ps aux | grep a\n  if [ $? -ne 0 ]; then exit 1; fi\ndone',
      'services:\n  a:\n    command: [a]\n  b:\n    command: [b]\n',
    ],
    [
      'a watchdog of what the script starts later',
      '(while sleep 30; do curl -sf localhost:9000/health || kill $$; done) &\nexec a --port 9000',
      'services:\n  a:\n    command: [a, --port, "9000"]\n    live: { http: /health, interval: 30s, failures: 1 }\n    port: 9000\n',
    ],
    [
      'a watchdog that ends one program',
      'a &\nA=$!\nb &\nwhile true; do\n  if ! nc -z localhost 70; then\n    echo gone\n    kill -9 $A\n  fi\n  sleep 1m\ndone &\nwait -n',
      'services:\n  a:\n    command: [a]\n    live: { tcp: true, interval: 60s, failures: 1 }\n    port: 70\n  b:\n    command: [b]\n',
    ],
    [
      'a watchdog that asks until it gets no answer',
      'a &\n(sleep 60; while check --all; do sleep 5; done; kill 1) &\nwait -n',
      'services:\n  a:\n    command: [a]\n    live: { exec: check --all, interval: 5s, failures: 1 }\n',
    ],
    [
      'a loop that does more than watch',
      'a &\nwhile sleep 9; do curl -f localhost:1 || { save; kill 1; }; done &\nwait -n',
      'services:\n  a:\n    command: [a]\n  curl:\n    command: while sleep 9; do curl -f localhost:1 || { save; kill 1; }; done\n',
    ],
    ['a loop that idles', 'a &\nwhile true; do sleep 60; done', 'exit: all\nservices:\n  a:\n    command: [a]\n'],
  ])('%s', async (_, source, expected) => {
    expect(await servicesOf(source)).toBe(expected);
  });

  test('a text with features of Bash is run by the shell of the script', async () => {
    const run = (shell: string) => yamlOf('start.sh', `#!/usr/bin/env ${shell}\n[[ -d /x ]] && a > /y &\nwait\n`);
    expect(await run('zsh')).toContain('[zsh, -c, ');
    expect(await run('bash')).toContain('[bash, -c, ');
    expect(await run('sh')).not.toContain('-c, ');
  });

  test.each([
    ['sleep as an order', 'a &\nsleep 5\nb', 'sleep 5: there is no pause: what follows starts when a has started'],
    [
      'a program that daemonizes',
      'a &\nservice nginx start\nwait',
      "run it in the foreground: `nginx -g 'daemon off;'`",
    ],
    [
      'a program that daemonizes within a condition',
      'if [ -d /k ]; then\n  service ssh start\nfi\na',
      'it goes into the background by itself, and svc-super ends it with the task. Run it in the foreground: `/usr/sbin/sshd -D -e`',
    ],
    ['arguments of the image', 'a &\nexec "$@"', 'its command is the CMD of the image'],
    ['a trap', "trap 'kill 0' TERM\na", 'svc-super stops every service in order'],
    ['standard error in a file of tee', 'a | tee /f', 'the file gets standard error too'],
    [
      'a trap whose function does more than stop services',
      "cleanup() { kill $A; save /state; }\na &\nA=$!\ntrap 'cleanup; exit 0' TERM\nwait",
      'what the trap does besides is not carried over',
    ],
    [
      'the pause of a restart loop that is a variable',
      'while true; do a; sleep $N; done &\nwait',
      'the pause cannot be read: 1s is used',
    ],
    [
      'the work of a loop that checks programs',
      'a &\nA=$!\nwhile sleep 9; do kill -0 $A || exit 1; save /state; done',
      'save: the loop that checks the programs also ran this, and is left out',
    ],
    ['a fixed code', 'a &\nwait -n\nexit 0', 'the script always exited with 0'],
    ['an open quote', 'a "b', 'the script: it has a mistake here'],
    ['a condition that is none', 'if grep -q x /f; then a & fi\nwait', 'the condition cannot be written as `enabled`'],
  ])('%s is reported', async (_, source, words) => {
    expect((await findingsOf(source)).toLowerCase()).toContain(words.toLowerCase());
  });

  test('a loop that only checks programs is not said to do other work', async () => {
    const findings = await findingsOf('a &\nA=$!\nwhile sleep 9; do kill -0 $A || { echo gone; exit 1; }; done');
    expect(findings).not.toContain('also ran');
  });

  test('Bash under sh is reported, and not in quotes', async () => {
    const report = async (text: string) => {
      const result = await importText('start.sh', `#!/bin/sh\n${text}\n`);
      return result.ok ? lines(result.findings).join() : result.message;
    };
    expect(await report('if [[ -n $A ]]; then b; fi\nc')).toContain('source:2:1: needs a look: [[ under #!/bin/sh');
    expect(await report('set -euo pipefail\nc')).toContain('pipefail under #!/bin/sh');
    expect(await report('. ./env\nc "[[ x"')).not.toContain('under #!/bin/sh');
  });

  test('wait -n under sh never worked in Debian, which is said', async () => {
    const result = await importText('start.sh', '#!/bin/sh\na &\nwait -n\n');
    expect(result.ok && lines(result.findings).join()).toContain('`wait` of `/bin/sh` in Debian has no `-n`');
  });
});
