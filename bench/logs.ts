// The log path on the built binary, row by row, compared with `sed` and supervisord where possible. Prints figures and
// whether the output was complete; asserts nothing. `bun bench/logs.ts [ROW]... [MEGABYTES]`; without a row all rows run,
// which takes some four minutes.
import { files } from './logs/files.ts';
import { bytes, line, many } from './logs/floods.ts';
import { removeFolder, say } from './logs/rig.ts';
import { stall } from './logs/stall.ts';
import { sums, throughput } from './logs/throughput.ts';

const ROWS: Readonly<Record<string, (megabytes: number) => Promise<void>>> = {
  throughput,
  sums,
  stall,
  line,
  bytes,
  many,
  files,
};

const given = process.argv.slice(2);
const unknown = given.filter((word) => !Object.hasOwn(ROWS, word) && !/^\d+$/.test(word));
const megabytes = Number(given.find((word) => /^\d+$/.test(word)) ?? 1_000);
const wanted = given.filter((word) => Object.hasOwn(ROWS, word));
if (unknown.length > 0) {
  say(`there is no row ${unknown.join(', ')}; the rows are ${Object.keys(ROWS).join(', ')}`);
  process.exitCode = 64;
} else {
  try {
    for (const name of wanted.length > 0 ? wanted : Object.keys(ROWS)) await ROWS[name]?.(megabytes);
  } finally {
    removeFolder();
  }
}
