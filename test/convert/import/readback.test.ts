// What svc-super refuses is left out of an imported file, once.
import { expect, test } from 'bun:test';
import { importText, lines } from './rig.ts';

test('a command with two mistakes is left out once', async () => {
  const result = await importText('compose', 'services: { web: { image: app, entrypoint: ["a\\0b", "c\\0d"] } }\n');
  if (!result.ok) throw new Error(result.message);
  expect(result.text.match(/TODO/g)).toEqual(['TODO']);
  expect(lines(result.findings).filter((line) => line.includes('`command` of web: it is left out'))).toHaveLength(1);
});
