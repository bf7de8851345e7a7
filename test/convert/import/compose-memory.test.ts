// The memory of Compose services on the way in, and of services.yaml on the way out.
import { expect, test } from 'bun:test';
import { parse, parseAllDocuments } from 'yaml';
import { exportedText } from '../export/rig.ts';
import { importText, lines } from './rig.ts';

test.each([
  ['mem_limit: 512m', '512MiB'],
  ['mem_limit: 2gb', '2GiB'],
  ['mem_limit: 1073741824', '1GiB'],
  ['deploy: { resources: { limits: { memory: 1.5G } } }', '1536MiB'],
])('%s becomes memory_limit', async (field, size) => {
  const result = await importText('compose', `services: { web: { image: app, command: run, ${field} } }\n`);
  if (!result.ok) throw new Error('not imported');
  expect(parse(result.text).services.web.memory_limit).toBe(size);
  expect(lines(result.findings).join('\n')).toContain('elsewhere svc-super watches it');
});

test('no limit, and a text that is no size', async () => {
  for (const [field, says] of [
    ['mem_limit: 0', ''],
    ['mem_limit: much', 'it is not a size'],
  ] as const) {
    const result = await importText('compose', `services: { web: { image: app, command: run, ${field} } }\n`);
    expect(result.ok && parse(result.text).services.web.memory_limit).toBeUndefined();
    expect(result.ok && lines(result.findings).join('\n')).toContain(says);
  }
});

test('memory_limit becomes mem_limit of Compose, and the limit of a container of Kubernetes', async () => {
  const file = 'services: { web: { command: run, memory_limit: 8GiB } }\n';
  const compose = await exportedText(file, { format: 'compose' });
  expect(parse(compose.text).services.web.mem_limit).toBe(8 * 2 ** 30);
  const kubernetes = await exportedText(file, { format: 'kubernetes' });
  const [deployment] = parseAllDocuments(kubernetes.text).map((document) => document.toJS());
  expect(deployment.spec.template.spec.containers[0].resources).toEqual({ limits: { memory: '8Gi' } });
});
