// Nothing is silent: each key, line, command and file of the corpus is removed in turn, and the output or the report must
// differ. A key that says what its system does anyway may be removed without a difference: these are listed here.
import { describe, expect, test } from 'bun:test';
import { importSource } from '../../../../src/convert/import/import.ts';
import { bare, inputOf, SOURCES } from '../rig.ts';
import { variantsOf } from '../variants.ts';

/** Keys with a value that is the default of their own system. */
const DEFAULTS = [
  /^autostart=true$/i,
  /^Autostart: TRUE$/,
  /^autorestart=unexpected$/,
  /^ *startretries = 1$/,
  /^stderr_logfile=AUTO$/,
  // Docker takes the driver of the machine.
  /\.devices\.0\.driver$/,
  // Compose requires `[gpu]`.
  /\.devices\.0\.capabilities(?:\.0)?$/,
  /\.health_checks\.\d\.(?:type|method)$/,
  // svc-worker depends on it.
  /\/user\/contents\.d\/svc-web$/,
];

describe('each construct that is removed changes the output or the report', () => {
  test.each(SOURCES.map((source) => [source.path, source] as const))('%s', async (_, source) => {
    const { format, path, images = [] } = source;
    const result = await importSource(format, inputOf(path, {}, images));
    expect(result.ok).toBe(true);
    const whole = bare(result);
    const silent: string[] = [];
    const variants = variantsOf(source);
    for (const [what, changes] of variants) {
      const changed = bare(await importSource(format, inputOf(path, changes, images)));
      if (changed === whole && !DEFAULTS.some((pattern) => pattern.test(what))) silent.push(what);
    }
    expect(variants.length).toBeGreaterThan(0);
    expect(silent).toEqual([]);
  });
});
