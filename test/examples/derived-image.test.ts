// The example of a derived image with the built program: the files are where the Dockerfiles put them, and the added file adds
// services, changes one, and has a secret that its task writes.
import { expect, test } from 'bun:test';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { missing, notRoot, openFolder, ROOT, skipWhen, startStack, until } from './stack.ts';

const EXAMPLE = join(ROOT, 'examples/derived-image');
const skipped = skipWhen([missing('unshare'), notRoot], 'the example of a derived image');

/** The files that the Dockerfiles copy to /etc/svc-super, in a folder in its place. */
function install(folder: string): void {
  for (const name of ['base', 'derived']) {
    const text = readFileSync(join(EXAMPLE, `${name}.Dockerfile`), 'utf8');
    for (const [, from = '', to = ''] of text.matchAll(/^COPY (examples\S+) \/etc\/svc-super\/(\S*)$/gm)) {
      const target = join(folder, to.endsWith('/') ? join(to, basename(from)) : to);
      mkdirSync(join(target, '..'), { recursive: true });
      cpSync(join(ROOT, from), target);
    }
  }
}

test.skipIf(skipped)('a derived image adds services and changes one of its base image', async () => {
  const folder = await openFolder();
  try {
    install(folder);
    const state = join(folder, 'state');
    const file = relative(ROOT, join(folder, 'services.yaml'));
    await using stack = await startStack(file, { STATE: state }, { init: true });
    // The first attempts may come before there is a control socket.
    await until('page and api to be ready', async () => (await stack.command('wait', 'page', 'api')).code === 0);
    const ask = async (service: string, variable: string) =>
      (await stack.command('exec', service, '--', 'printenv', variable)).output.trim();
    expect(await ask('page', 'LOG_LEVEL')).toBe('debug');
    const key = readFileSync(join(state, 'key'), 'utf8').trim();
    expect(key.length).toBeGreaterThan(20);
    expect(await ask('api', 'API_KEY')).toBe(key);
    writeFileSync(join(state, 'key'), 'another\n');
    expect((await stack.command('restart', 'api', '--wait')).code).toBe(0);
    expect(await ask('api', 'API_KEY')).toBe('another');
    const resolved = await stack.command('check', '-f', join(folder, 'services.yaml'), '--resolved');
    expect(resolved.output).toContain('      LOG_LEVEL: debug  # conf.d/api.yaml:');
    expect(resolved.output).not.toContain('another');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
