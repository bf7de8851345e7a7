// Variables of a Compose service: `environment`, its environment files and its image.
import { expect, test } from 'bun:test';
import { parse } from 'yaml';
import { importText } from './rig.ts';

async function variablesOf(files: Readonly<Record<string, string>>, own = '') {
  const text = JSON.stringify([{ RepoTags: ['x:latest'], Config: { Env: ['A=image', 'B=image'], Cmd: ['run'] } }]);
  const source = `services: {a: {image: x, env_file: [one.env, two.env]${own}}}`;
  const result = await importText('compose', source, {
    imageConfigs: [{ path: 'x.json', text }],
    read: (path) => files[path] ?? null,
  });
  if (!result.ok) throw new Error(result.message);
  return { env: parse(result.text).services.a.env, whys: result.findings.map(({ why }) => why) };
}

test('an environment file wins over the variables of the image, as in Compose', async () => {
  const files = { 'one.env': '# B=c\nC=1\n', 'two.env': 'export A = file\n' };
  const { env, whys } = await variablesOf(files);
  expect(env).toEqual({ B: 'image' });
  expect(whys.filter((why) => why.includes('of its image'))).toEqual([]);
  expect((await variablesOf(files, ', environment: {A: own}')).env).toEqual({ B: 'image', A: 'own' });
});

test('an environment file that the import cannot read is said to lose against the image', async () => {
  const { env, whys } = await variablesOf({ 'one.env': '' });
  expect(env).toEqual({ A: 'image', B: 'image' });
  expect(whys).toContain(
    'the variables of its image are in `env` here, which wins over two.env; in Compose the file wins',
  );
});
