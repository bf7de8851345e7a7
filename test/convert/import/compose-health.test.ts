// Health checks of Compose as `ready` probes: their times.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
import { expect, test } from 'bun:test';
import { parse } from 'yaml';
import { importText, lines, yamlOf } from './rig.ts';

async function timesOf(fields: string, image?: object) {
  const check = `{test: [CMD, check], ${fields}}`;
  const source = `services: {a: {image: x, entrypoint: [run], healthcheck: ${check}}}`;
  const config = { Entrypoint: ['run'], Healthcheck: image };
  const imageConfigs = [{ path: 'x.json', text: JSON.stringify([{ RepoTags: ['x:latest'], Config: config }]) }];
  const { a } = parse(await yamlOf('compose', source, image === undefined ? {} : { imageConfigs })).services;
  const { exec: _, continuous: __, ...times } = a.ready;
  return { ...times, start_timeout: a.start_timeout };
}

test('zero is the default of Docker', async () => {
  const usual = { interval: '30s', timeout: '30s', start_timeout: '1m30s' };
  expect(await timesOf('')).toEqual(usual);
  expect(await timesOf('interval: 0s, timeout: 0s, retries: 0, start_period: 0s, start_interval: 0s')).toEqual(usual);
});

test('times that the file does not give are those of the image', async () => {
  const second = 1_000_000_000;
  const times = { Interval: 4 * second, Timeout: 3 * second, StartPeriod: 60 * second, StartInterval: 2 * second };
  expect(await timesOf('interval: 10s', { Test: ['CMD', 'theirs'], ...times, Retries: 6 })).toEqual({
    timeout: '3s',
    start_interval: '2s',
    start_timeout: '2m',
  });
});

test('variables have their defaults', async () => {
  expect(await timesOf('interval: "${I:-20s}", retries: "${R:-5}"')).toEqual({
    interval: '20s',
    timeout: '30s',
    start_timeout: '1m40s',
  });
});

test.each(['y', 'yes', '1', 'on', 'TRUE'])('`disable: %s` switches it off', async (word) => {
  const source = `services: {a: {image: x, entrypoint: [run], healthcheck: {test: [CMD, check], disable: ${word}}}}`;
  expect(parse(await yamlOf('compose', source)).services.a).toEqual({ command: ['run'] });
});

test('a request that the health check of an image makes is reported, as one of the file is', async () => {
  const config = {
    Entrypoint: ['run'],
    Healthcheck: { Test: ['CMD-SHELL', 'curl -f http://localhost:80/ || exit 1'] },
  };
  const text = JSON.stringify([{ RepoTags: ['x:latest'], Config: config }]);
  const result = await importText('compose', 'services: {a: {image: x}}', { imageConfigs: [{ path: 'x.json', text }] });
  if (!result.ok) throw new Error(result.message);
  expect(result.findings.map(({ what }) => what)).toContain('healthcheck of a: curl -f http://localhost:80/ || exit 1');
});

test('a time that Compose refuses is left out, and the one of the image counts', async () => {
  const config = { Entrypoint: ['run'], Healthcheck: { Test: ['CMD', 'check'], Interval: 4_000_000_000 } };
  const text = JSON.stringify([{ RepoTags: ['x:latest'], Config: config }]);
  const source = 'services: {a: {image: x, healthcheck: {interval: soon}}}';
  const result = await importText('compose', source, { imageConfigs: [{ path: 'x.json', text }] });
  if (!result.ok) throw new Error(result.message);
  expect(parse(result.text).services.a.ready.interval).toBe('4s');
  expect(lines(result.findings).join('\n')).toMatch(/Compose refuses soon: .*it is left out/i);
});
