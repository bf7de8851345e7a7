// GET /pdf?url=https://… answers with the page as PDF; GET /health says how many are being made. A Chromium for each
// request, with a profile of its own: nothing of one page reaches the next, and no debugging port is open to others.
// `server.mjs try` makes one PDF, to see whether Chromium works here at all.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { PORT = '8080', LISTEN = '127.0.0.1', CHROMIUM_FLAGS = '', LIMIT = '4', SECONDS_A_PAGE = '30' } = process.env;
let running = 0;

async function print(url, signal) {
  const folder = await mkdtemp(join(tmpdir(), 'page-'));
  try {
    const file = join(folder, 'page.pdf');
    const child = spawn(
      'chromium',
      [
        '--headless',
        '--disable-gpu',
        '--no-first-run',
        '--disable-dev-shm-usage', // /dev/shm is the machine's, or has 64 MiB: files in TMPDIR instead
        '--no-pdf-header-footer',
        `--user-data-dir=${join(folder, 'profile')}`,
        `--print-to-pdf=${file}`,
        ...CHROMIUM_FLAGS.split(' ').filter(Boolean),
        url,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], signal, killSignal: 'SIGKILL' },
    );
    let said = '';
    child.stderr.on('data', (text) => {
      said = `${said}${text}`.slice(-2000);
    });
    await once(child, 'close');
    return await readFile(file).catch(() => {
      process.stderr.write(said);
      throw new Error('Chromium made no PDF');
    });
  } finally {
    // Its helpers may write for a moment longer than it lives.
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  }
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const answer = (status, body, type = 'application/json') => {
    response.writeHead(status, { 'content-type': type });
    response.end(type === 'application/json' ? JSON.stringify(body) : body);
  };
  if (pathname === '/health') return answer(200, { status: true, running });
  const url = searchParams.get('url') ?? '';
  if (pathname !== '/pdf') return answer(404, { error: 'GET /pdf?url=…' });
  // No file: what this user may read is not for everybody who reaches the port.
  if (!/^(https?:|data:)/i.test(url)) return answer(400, { error: 'url has to begin with http:, https: or data:' });
  if (running >= Number(LIMIT)) return answer(503, { error: `${running} pages are being made` });
  running += 1;
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    answer(
      200,
      await print(url, AbortSignal.any([gone.signal, AbortSignal.timeout(Number(SECONDS_A_PAGE) * 1000)])),
      'application/pdf',
    );
  } catch (error) {
    answer(error.name === 'AbortError' ? 504 : 500, { error: error.message });
  } finally {
    running -= 1;
  }
});

if (process.argv[2] === 'try') {
  const works = print('data:text/html,works', AbortSignal.timeout(Number(SECONDS_A_PAGE) * 1000));
  process.exit(
    await works.then(
      () => 0,
      (error) => process.stderr.write(`${error.message}\n`) && 1,
    ),
  );
}
server.listen(Number(PORT), LISTEN, () => process.stdout.write(`http://${LISTEN}:${PORT}/pdf?url=…\n`));
// The requests that are running are finished; `before_stop` in services.yaml has waited for them.
process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
