// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The ports that the batch script chooses: which variables they are, and the function of bash that finds free ones, run by bash.
import { afterAll, expect, test } from 'bun:test';
import { CHOOSE_PORT, portCalls, portVariables } from '../../../src/convert/export/slurm-ports.ts';
import { readSource } from '../../../src/convert/export/source.ts';
import { exportedText } from './rig.ts';

function variables(service: object, more: object = {}): readonly string[] {
  const services = { a: { command: 'run', ...service }, ...more };
  const source = readSource('services.yaml', JSON.stringify({ services }));
  if (!source.ok) throw new Error(JSON.stringify(source.error.diagnostics));
  return portVariables(source.value).map(({ name, first, count }) => `${name} ${first} ${count}`);
}

test('a variable that is the whole port is chosen, and no other', () => {
  expect(variables({ port: '${A:-8000}' })).toEqual(['A 8000 1']);
  expect(variables({ ports: ['${A:-8000}', 9000] })).toEqual(['A 8000 1']);
  expect(variables({ port: '${A:-8000}', replicas: 3 })).toEqual(['A 8000 3']);
  expect(variables({ port: '80${A:-01}' })).toEqual([]);
});

test('two services that read one variable get as many ports as the one with more replicas needs', () => {
  const b = { command: 'run', port: '${A:-8000}', replicas: 3 };
  expect(variables({ port: '${A:-8000}' }, { b })).toEqual(['A 8000 3']);
});

test('the job prints every port of a service, by its own variable', async () => {
  const web = { command: 'run', ports: ['${A:-8000}', 9000, '${B:-9500}'] };
  const { text } = await exportedText(JSON.stringify({ services: { web } }), { format: 'slurm', image: 'x' });
  expect(text.match(/(?<=^echo "web: \$\(hostname\):)[^"]*/gm)).toEqual(['$A', '9000', '$B']);
});

const listener = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('') });
afterAll(() => listener.stop(true));

function choose(first: number, count: number) {
  const script = `${CHOOSE_PORT}\nchoose_port P ${first} ${count}\necho "$P"`;
  const { exitCode, stdout, stderr } = Bun.spawnSync(['bash', '-c', script], { env: { PATH: '/usr/bin:/bin' } });
  return { exitCode, out: stdout.toString().trim(), err: stderr.toString().trim() };
}

test('a port that is taken is passed over', () => {
  const taken = listener.port ?? 0;
  expect(Number(choose(taken, 1).out)).toBeGreaterThan(taken);
});

test('beyond the last port there is none', () => {
  expect(choose(65_535, 2)).toEqual({ exitCode: 1, out: '', err: 'no 2 free ports in a row from 65535 on' });
});

test('a port that a variable is set to is not chosen for one before it', () => {
  const of = (name: string) => ({ name, key: 'a', first: 28_000, count: 1 });
  const script = [CHOOSE_PORT, ...portCalls([of('A'), of('B')]), 'echo "$A $B"'].join('\n');
  const env = { PATH: '/usr/bin:/bin', B: '28000' };
  const [a, b] = Bun.spawnSync(['bash', '-euc', script], { env }).stdout.toString().trim().split(' ');
  expect(b).toBe('28000');
  expect(Number(a)).toBeGreaterThan(28_000);
});
