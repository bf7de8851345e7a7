// What other systems start by hand only comes back as `start: manual` or `profiles`.
import { expect, test } from 'bun:test';
import { parse } from 'yaml';
import { importSource } from '../../../../src/convert/import/import.ts';
import type { FormatName } from '../../../../src/convert/import/table.ts';
import { importText, inputOf } from '../rig.ts';

const SUPERVISORD = '[program:web]\ncommand=web\n[program:shell]\ncommand=shell\nautostart=false\n';

async function servicesOf(format: FormatName, source: string): Promise<Record<string, object>> {
  const result = await (source.includes('\n') ? importText(format, source) : importSource(format, inputOf(source)));
  if (!result.ok) throw new Error(result.message);
  return parse(result.text).services;
}

test.each<[FormatName, string, string, object]>([
  ['compose', 'compose/pipeline.yaml', 'worker', { profiles: ['jobs', 'all'] }],
  ['s6', 's6/legacy', 'cron', { start: 'manual' }],
  ['supervisord', SUPERVISORD, 'shell', { start: 'manual' }],
])('%s', async (format, source, name, fields) => {
  expect((await servicesOf(format, source))[name]).toMatchObject(fields);
});
