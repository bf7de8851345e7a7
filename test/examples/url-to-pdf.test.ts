// Web pages as PDF as under Apptainer: the real Chromium and Node, as nobody in particular, in a root that cannot be
// written to, among the processes of this machine, and not as PID 1. Started by the runscript of the .def file.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Box, healthy, skipBoxes, startBox } from './box.ts';
import { freePorts, missing, ROOT, until } from './stack.ts';

const skipped = skipBoxes('the example of URLs to PDF', missing('chromium'), missing('node'));
const FOLDER = join(ROOT, 'examples/url-to-pdf');

// A page whose picture comes after a second.
let site: Bun.Server<undefined>;
beforeAll(() => {
  site = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/page': new Response('<h1>A page</h1><img src="/picture">', { headers: { 'content-type': 'text/html' } }),
      '/picture': async () => {
        await Bun.sleep(1_000);
        return new Response(null, { status: 404 });
      },
    },
  });
});
afterAll(() => site.stop(true));

interface Service extends Box {
  readonly pdf: (url: string) => Promise<Response>;
}

/** The lines of the .def file below `%name`. */
async function section(name: string): Promise<string> {
  const text = await Bun.file(join(FOLDER, 'url-to-pdf.def')).text();
  return new RegExp(`^%${name}\\n((?: .*\\n|\\n)*)`, 'm').exec(text)?.[1] ?? '';
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const port = String(freePorts(1)[0]);
  const box = await startBox({
    example: 'url-to-pdf',
    files: {
      '/opt/url-to-pdf/server.mjs': await Bun.file(join(FOLDER, 'server.mjs')).text(),
      '/.singularity.d/runscript': `#!/bin/sh\n${await section('runscript')}`,
    },
    entrypoint: ['sh', '/.singularity.d/runscript'],
    apptainer: true,
    user: 12345,
    // Whether a sandbox is possible is the machine's business.
    env: { PORT: port, CHROMIUM_FLAGS: '--no-sandbox', SECONDS_A_PAGE: '100', ...env },
  });
  const base = `http://127.0.0.1:${port}`;
  return { ...box, pdf: (url) => box.fetch(`${base}/pdf?url=${encodeURIComponent(url)}`) };
}

const bytes = async (answer: Response): Promise<string> => (await answer.bytes()).toBase64();
const isChromium = ({ args }: { args: readonly string[] }): boolean => args.some((one) => one.includes('page.pdf'));

describe.skipIf(skipped)('URLs to PDF as under Apptainer', () => {
  test('makes PDFs, finishes the one that is running at SIGINT, ends with 0 and leaves no file', async () => {
    await using box = await start();
    await healthy(box);
    const answer = await box.pdf(`${site.url}page`);
    expect(answer.headers.get('content-type')).toBe('application/pdf');
    expect(atob(await bytes(answer))).toStartWith('%PDF-');
    expect((await box.pdf('file:///etc/passwd')).status).toBe(400);
    expect((await box.exec('touch', '/written')).output).toContain('Read-only file system');
    const [run = ''] = readdirSync(box.tmp).filter((name) => name.startsWith('url-to-pdf.'));
    expect(readdirSync(join(box.tmp, run)).sort()).toEqual(['cache', 'config', 'home', 'tmp']);
    expect((await box.exec('sh', '-c', 'cat /proc/[0-9]*/environ | tr "\\0" "\\n"')).output).toContain(
      `TMPDIR=/tmp/${run}/tmp`,
    );

    const late = box.pdf(`${site.url}page`);
    await until('a Chromium', () => box.processes().some(isChromium));
    process.kill(box.pid, 'SIGINT'); // as `apptainer instance stop` does
    expect((await late).status).toBe(200);
    expect(await box.exitCode).toBe(0);
    // Where the checkout itself lies in /tmp, it is mounted there.
    const checkout = import.meta.dir.split('/')[1] === 'tmp' ? import.meta.dir.split('/')[2] : undefined;
    expect(readdirSync(box.tmp).filter((name) => name !== checkout)).toEqual([]);
  }, 120_000);

  test('a Chromium that is killed is an answer of 500, kill -9 on the server is the end of Chromium', async () => {
    await using box = await start();
    await healthy(box);
    const failed = box.pdf(`${site.url}page`);
    const first = await until('a Chromium', () => box.processes().find(isChromium));
    process.kill(first.pid, 'SIGKILL');
    expect((await failed).status).toBe(500);

    const cut = box.pdf(`${site.url}page`).then(
      ({ status }) => status,
      () => 'cut off',
    );
    const second = await until('another Chromium', () => box.processes().find(isChromium));
    process.kill(box.find('server.mjs').pid, 'SIGKILL');
    expect(await cut).not.toBe(200);
    expect(await box.exitCode).toBe(137);
    expect(() => process.kill(second.pid, 0)).toThrow();
    expect(box.processes()).toEqual([]);
  }, 120_000);

  test('where Chromium cannot run it says so, and ends', async () => {
    // In a chroot the kernel gives nobody a user namespace, of which Chromium makes its sandbox.
    await using box = await start({ CHROMIUM_FLAGS: '' });
    expect(await box.exitCode).toBe(1);
    expect(box.output()).toMatch(/^pdf +\| .*No usable sandbox!/m);
    expect(box.output()).toContain('could not be started: before_start failed: exit code 1');
  }, 120_000);
});
