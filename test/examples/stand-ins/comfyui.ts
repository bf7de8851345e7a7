// Stands in for `python main.py` of ComfyUI: its statistics and its queue. SIGINT ends it in good order, SIGTERM kills.

import { existsSync } from 'node:fs';
import { say } from './say.ts';

const option = (name: string): string =>
  process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';

const custom = `${option('base-directory')}/custom_nodes`;
if (!existsSync(custom)) throw new Error(`no folder ${custom}`);
let running: readonly number[] = [];
Bun.serve({
  hostname: option('listen'),
  port: Number(option('port')),
  routes: {
    '/system_stats': () => Response.json({ system: { os: 'posix' }, devices: [] }),
    '/queue': () => new Response(`{"queue_running": ${JSON.stringify(running)}, "queue_pending": []}`),
    '/prompt': {
      POST: async () => {
        running = [1];
        setTimeout(() => {
          running = [];
          say('the picture is finished');
        }, 1_000);
        return Response.json({ prompt_id: '1' });
      },
    },
  },
});
if (process.argv.includes('--cpu')) say('on the processor');
say(`ComfyUI in ${process.cwd()} with ${Object.keys(process.env).sort().join(' ')}`);
process.on('SIGINT', () => {
  say('ComfyUI leaves');
  process.exit(0);
});
