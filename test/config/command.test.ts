// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Command lines that are a single program, which replaces the shell, and command lines that need the shell.
import { expect, test } from 'bun:test';
import { hiddenProgram, isOneProgram, toArgv } from '../../src/config/command.ts';

test('a single program with its arguments replaces the shell', () => {
  for (const line of [
    'sleep 1000',
    '  vllm serve $MODEL --port 9000 ',
    '/opt/vllm/bin/vllm serve "$MODEL" --hf-overrides \'{"a": [1; 2]}\'',
    'python3 -m http.server 8000 --bind 127.0.0.1',
    'nginx -g "daemon off;"',
    'redis-server --save ""',
    'echo-server a\\ b',
    'node -e "a && b"',
    'python3 -m http.server ${PORT} --bind 127.0.0.1',
    'vllm serve ${MODEL:-facebook/opt-125m} --port ${PORT:?no port} ${EXTRA-}',
  ]) {
    expect([line, isOneProgram(line)]).toEqual([line, true]);
    expect(toArgv(line)).toEqual(['/bin/sh', '-c', `exec ${line.trimStart()}`]);
  }
});

test('any other line is passed to the shell unchanged', () => {
  for (const line of [
    'a; b',
    'a && b',
    'a | b',
    'a &',
    'a > file',
    'a\nb',
    'A=1 b',
    'cd /x',
    'chdir /x',
    '"cd" /x',
    '\\cd /x',
    'exit 7',
    'exec a',
    'echo hello',
    'if true',
    '! a',
    '{ a',
    '(a)',
    'a $(b)',
    'a `b`',
    '$PROGRAM x',
    '${PROGRAM} x',
    'a ${X:-$(b)}',
    'a ${X:-b;c}',
    'a \\${X:-b}',
    'a {b,c}',
    "a 'open",
    'a "open',
    "a \\'; b 'x' \\'",
    'a \\"; b "x" \\"',
    '. ./env',
    '~/run',
    '',
  ]) {
    expect([line, isOneProgram(line)]).toEqual([line, false]);
    expect(toArgv(line)).toEqual(['/bin/sh', '-c', line]);
  }
});

test('the last program of a list of commands does not receive the stop signal', () => {
  for (const [line, program] of [
    ['cd /app && python3 app.py', 'python3'],
    ['cd /app || exit 1; python3 "a b" > log 2>&1', 'python3'],
    ['cd /app && A=1 python3 app.py', 'python3'],
    ['cd /app && python3 app.py "$(hostname)"', 'python3'],
    ['cd "/my app" && A="b c" "/my app/run" --now', '"/my app/run"'],
    ['cd /app && > log python3 app.py', 'python3'],
    ['set -e\nmkdir -p /data\n/usr/bin/redis-server --dir /data\n', '/usr/bin/redis-server'],
    [`cd \${APP:-/app} && uvicorn app:app --port \${PORT}`, 'uvicorn'],
  ] as const) {
    expect([line, hiddenProgram(line)]).toEqual([line, program]);
  }
});

test('no program is hidden if `exec` is used, if the shell has more to do, or if the last command may not be the program', () => {
  for (const line of [
    'python3 app.py',
    'cd /app && exec python3 app.py',
    'cd /app && "exec" python3 app.py',
    'sleep 1; exit 3',
    'a || b',
    'a | b',
    'a; b | c',
    'a & b',
    'a && b &',
    'a; (b)',
    'trap "x" TERM; a',
    'while true; do a; done',
    'if a; then b; fi; c',
    'echo "a && b"',
    'a; echo done',
    '',
  ]) {
    expect([line, hiddenProgram(line)]).toEqual([line, null]);
  }
});
