// All contestants in the order of the table, and the folder for contestants that are not installed in system folders.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { bash } from './rivals/bash.ts';
import { gopherd } from './rivals/gopherd.ts';
import { pebble } from './rivals/pebble.ts';
import { pm2 } from './rivals/pm2.ts';
import { processCompose } from './rivals/process-compose.ts';
import { runit } from './rivals/runit.ts';
import { s6 } from './rivals/s6.ts';
import { supervisord } from './rivals/supervisord.ts';
import { svcSuper, svcSuperOld } from './rivals/svc-super.ts';
import type { Contestant } from './scenario.ts';

export const CONTESTANTS: readonly Contestant[] = [
  svcSuper,
  ...(svcSuperOld === null ? [] : [svcSuperOld]),
  bash,
  s6,
  runit,
  supervisord,
  processCompose,
  pebble,
  gopherd,
  pm2,
];

/** Outside the checkout: one installation serves all checkouts, and `npm ci` does not remove it. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'svc-super-bench');
