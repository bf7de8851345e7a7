// Nosana jobs: stages, and what cannot be carried over.
import { expect, test } from 'bun:test';
import { parse } from 'yaml';
import { importText, lines } from './rig.ts';

async function imported(...ops: readonly object[]) {
  const job = { version: '0.1', type: 'container', ops: ops.map((op) => ({ type: 'container/run', ...op })) };
  const result = await importText('nosana', JSON.stringify(job));
  if (!result.ok) throw new Error(result.message);
  return { yaml: parse(result.text), report: lines(result.findings).join('\n') };
}

test('the group of an operation becomes a valid name, and an operation without one is in no group of another', async () => {
  const args = { image: 'x', cmd: ['run'] };
  const { yaml, report } = await imported(
    { id: 'a', args, execution: { group: 'my group' } },
    { id: 'b', args, execution: { group: 'my group' } },
    { id: 'c', args, execution: { group: 'd' } },
    { id: 'd', args },
  );
  expect(yaml.groups).toEqual(['my-group', 'd', 'd-2']);
  expect(Object.values(yaml.services).map((service) => (service as { group: string }).group)).toEqual([
    'my-group',
    'my-group',
    'd',
    'd-2',
  ]);
  expect(report.match(/the name my group/g)).toHaveLength(1);
});

test('what is no port, and an unknown key of a check, have their own reasons', async () => {
  const health_checks = [{ type: 'http', path: '/', interval: 5, headers: {} }];
  const expose = ['8000-8010', 'abc', { port: 80, health_checks }];
  const { report } = await imported({ id: 'a', args: { image: 'x', cmd: ['run'], expose } });
  expect(report).toMatch(/expose 8000-8010 of a: a range of ports/);
  expect(report).toMatch(/expose abc of a: it is no port/);
  expect(report).toMatch(/health_checks\.interval .*: a check has no such key/);
  expect(report).toMatch(/health_checks\.headers .*: the node sends neither/);
});

test('a null is no cmd and no entrypoint, and a PATH of the image that is not the usual one is kept', async () => {
  const Config = { Entrypoint: ['/in'], Cmd: ['serve', 'all'], Env: ['PATH=/opt/bin:/bin', 'A=1'] };
  const text = JSON.stringify([{ RepoTags: ['x:latest'], Config }]);
  const run = async (args: object) => {
    const job = { ops: [{ type: 'container/run', id: 'a', args: { image: 'x', ...args } }] };
    const result = await importText('nosana', JSON.stringify(job), { imageConfigs: [{ path: 'x.json', text }] });
    if (!result.ok) throw new Error(result.message);
    return parse(result.text).services.a;
  };
  expect(await run({})).toMatchObject({ command: ['/in', 'serve', 'all'], env: { PATH: '/opt/bin:/bin', A: '1' } });
  expect(await run({ cmd: null, entrypoint: null })).toMatchObject({ command: ['/in', 'serve', 'all'] });
  expect(await run({ cmd: [] })).toMatchObject({ command: ['/in', 'serve', 'all'] });
  expect(await run({ cmd: ['x'] })).toMatchObject({ command: ['/in', 'x'] });
  expect(await run({ entrypoint: ['/own'] })).toMatchObject({ command: ['/own'] });
  expect(await run({ cmd: 'x' })).toMatchObject({ command: ['/in', '/bin/sh', '-c', 'x'] });
  expect(await run({ cmd: 'x', entrypoint: [] })).toMatchObject({ command: 'x' });
  expect(await run({ cmd: '', entrypoint: [] })).toMatchObject({ command: 'true' });
});

test('a dependency on a later stage, and an unknown key of a policy beside `args`, are reported', async () => {
  const args = { image: 'x', cmd: ['run'] };
  const { report } = await imported(
    { id: 'a', args, execution: { group: 'one', depends_on: ['b'] } },
    { id: 'b', args, execution: { group: 'two', depends_on: ['a'] }, restart_policy: { policy: 'never', delay: 1 } },
  );
  expect(report).toMatch(/depends_on b of a: it is in a later stage, so it can never be met/);
  expect(report).toMatch(/depends_on a of b: it is in an earlier stage/);
  expect(report).toMatch(/restart_policy\.delay of b: 1: the node has no such key/);
});

test('a variable that svc-super sets itself is left out', async () => {
  const args = { image: 'x', cmd: ['run'], env: { SVC_NAME: 'b', A: '1' } };
  const { yaml, report } = await imported({ id: 'a', args });
  expect(yaml.services.a.env).toEqual({ A: '1' });
  expect(report).toContain('SVC_NAME of a: svc-super sets this variable itself');
});
