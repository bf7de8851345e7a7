// Trees of s6-overlay: accounts of fix-attrs, dependencies that stand for nothing here, and the deadline of the shutdown.
import { expect, test } from 'bun:test';
import { importText, lines } from './rig.ts';

/** Imports a tree of these files, by path; null: one that cannot be read. */
async function treeOf(files: Readonly<Record<string, string | null>>) {
  const read = (path: string) => files[path] ?? null;
  const list = (folder: string) => {
    const below = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
    const names = below.map((path) => path.slice(folder.length + 1).replace(/\/.*$/, '/'));
    return names.length === 0 ? null : [...new Set(names)].sort();
  };
  const result = await importText('s6', '', { path: 'tree', read, list });
  if (!result.ok) throw new Error(result.message);
  return { text: result.text, findings: lines(result.findings) };
}

const RC = 'tree/etc/s6-overlay/s6-rc.d';
const longrun = (name: string, more: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(
    Object.entries({ type: 'longrun\n', run: '#!/bin/sh\nexec serve\n', ...more }).map(([file, text]) => [
      `${RC}/${name}/${file}`,
      text,
    ]),
  );

test('accounts of fix-attrs stand for their group too, and may have a fallback', async () => {
  const attrs = ['# a comment', '', '/a false nobody,32768:32768 0600 0700', '/b false 10,1:1 0600 0700', 'no', ''];
  const { text, findings } = await treeOf({ 'tree/etc/fix-attrs.d/10': attrs.join('\n'), ...longrun('web') });
  expect(text).toContain(
    'if id -u nobody >/dev/null 2>&1; then find /a -maxdepth 0 -exec chown -h nobody: {} +; else find /a -maxdepth 0 -exec chown -h 32768:32768 {} +; fi\n',
  );
  expect(text).toContain('find /b -maxdepth 0 -exec chown -h 10 {} +\n');
  expect(findings).toContainEqual(
    expect.stringContaining('tree/etc/fix-attrs.d/10:5:1: needs a look: no: it is not `path recurse'),
  );
});

test('a dependency on a logger or on an empty bundle is in the tree, and is not carried over', async () => {
  const { findings } = await treeOf({
    ...longrun('web', { 'dependencies.d/web-log': '', 'dependencies.d/none': '', 'dependencies.d/gone': '' }),
    ...longrun('web-log', { 'consumer-for': 'web\n' }),
    [`${RC}/none/type`]: 'bundle\n',
  });
  const about = (name: string) => findings.find((line) => line.includes(`dependency ${name} of web`));
  expect(about('web-log')).toContain('it is a logger, or a bundle without services');
  expect(about('none')).toContain('it is a logger, or a bundle without services');
  expect(about('gone')).toContain('it is not in this tree');
});

test('the deadline of the shutdown is not below the longest one of a service', async () => {
  const stopOf = async (millis: number) => (await treeOf(longrun('web', { 'timeout-kill': `${millis}\n` }))).text;
  expect(await stopOf(86_400_000)).toMatch(/stop_timeout: 86401s[\s\S]*timeout: "1d"/);
  expect(await stopOf(999_999_999)).toMatch(/stop_timeout: 1000001s[\s\S]*timeout: "?11d13h46m39s999ms/);
});

test('the tally of deaths limits no restarts, and a descriptor is one that `ready` takes', async () => {
  const { text, findings } = await treeOf(longrun('web', { 'max-death-tally': '5\n', 'notification-fd': '300\n' }));
  expect(text).not.toMatch(/max: 5|notify/);
  expect(findings).toContainEqual(expect.stringContaining('max-death-tally of web: s6 restarts a service any number'));
  expect(findings).toContainEqual(expect.stringContaining('notification-fd of web: it is not a number from 3 to 255'));
});

test('a deadline of 0 is reported, since there is always one here', async () => {
  const { text, findings } = await treeOf(longrun('web', { 'timeout-up': '0\n', 'timeout-kill': '0\n' }));
  expect(text).not.toMatch(/start_timeout| {4}stop:/);
  expect(findings).toContainEqual(expect.stringContaining('timeout-up of web: 0 is no limit in s6'));
  expect(findings).toContainEqual(expect.stringContaining('timeout-kill of web: 0 is no limit in s6'));
});

test('a service that idles is found by its command, not by a comment', async () => {
  const findingsOf = async (run: string) => (await treeOf(longrun('web', { run }))).findings.join('\n');
  expect(await findingsOf('#!/bin/sh\n[ -n "$ON" ] || exec sleep infinity\nexec serve\n')).toContain(
    'sleep infinity in',
  );
  expect(await findingsOf('#!/bin/sh\n# not: sleep infinity\nexec serve\n')).not.toContain('sleep infinity in');
});

test('the bundle that `pipeline-name` makes is enabled, and may be depended on', async () => {
  const log = (producer: string, more: Readonly<Record<string, string>> = {}) => ({
    'consumer-for': producer,
    ...more,
  });
  const { text, findings } = await treeOf({
    ...longrun('web', { 'producer-for': 'web-filter\n', 'dependencies.d/db-pipeline': '' }),
    ...longrun('web-filter', log('web\n', { 'producer-for': 'web-log\n', 'pipeline-name': 'no-end\n' })),
    ...longrun('web-log', log('web-filter\n', { 'pipeline-name': 'web-pipeline\n' })),
    ...longrun('db', { 'producer-for': 'db-log\n' }),
    ...longrun('db-log', log('db\n', { 'pipeline-name': 'db-pipeline\n' })),
    ...longrun('off', { 'producer-for': 'off-log\n' }),
    ...longrun('off-log', log('off\n', { 'pipeline-name': 'off-pipeline\n' })),
    [`${RC}/user/type`]: 'bundle\n',
    [`${RC}/user/contents.d/web-pipeline`]: '',
    [`${RC}/user/contents.d/no-end`]: '',
  });
  expect(text.match(/start: manual/g)).toHaveLength(1);
  expect(text).toMatch(/depends_on:\s*(?:- |\[)?"?db\b/);
  const manual = findings.filter((line) => line.includes('so s6 does not start it'));
  expect(manual).toEqual([expect.stringContaining('off: it is in no')]);
  expect(findings.join('\n')).not.toMatch(/pipeline-name|dependency db-pipeline/);
});

test('of a service in s6-rc.d and in services.d, the first is taken and the other is reported', async () => {
  const legacy = 'tree/etc/services.d/web';
  const { text, findings } = await treeOf({ ...longrun('web'), [`${legacy}/run`]: '#!/bin/sh\nexec other\n' });
  expect(text).toContain('serve');
  expect(text).not.toContain('other');
  expect(findings).toContainEqual(expect.stringContaining(`needs a look: ${legacy}: s6-rc.d has web too`));
});

test('a file of fix-attrs that cannot be read is reported', async () => {
  const { findings } = await treeOf({ 'tree/etc/fix-attrs.d/10': null, ...longrun('web') });
  expect(findings).toContainEqual(expect.stringContaining('tree/etc/fix-attrs.d/10: it cannot be read'));
});

test('each service whose output a logger reads is reported, and a logger that cannot be read', async () => {
  const { text, findings } = await treeOf({
    ...longrun('a'),
    ...longrun('b'),
    ...longrun('log', { 'consumer-for': 'a\nb\n', run: '#!/bin/sh\nexec s6-log n5 /var/log/a\n' }),
    'tree/etc/services.d/c/run': '#!/bin/sh\nexec c\n',
    'tree/etc/services.d/c/log/run': null,
  });
  expect(text.match(/path: \S+/g)).toEqual(['path: /var/log/a/current']);
  expect(findings).toContainEqual(expect.stringContaining('log: it reads the output of b, which svc-super prints'));
  expect(findings).toContainEqual(expect.stringContaining('log of c: it has no `run` file that can be read'));
});
