// The judgement of a soak, its report and its plot, on figures that are made up.
import { describe, expect, test } from 'bun:test';
import { drawPlot, roundUp } from '../../soak/plot.ts';
import { type Moment, type Outcome, renderOutcome, renderResults } from '../../soak/report.ts';
import { countsOf, sumMetrics } from '../../soak/sample.ts';
import { configuration, PRINTERS } from '../../soak/scenario.ts';
import { BOUNDS, judge, type Quiet } from '../../soak/verdict.ts';
import { load } from '../config/rig.ts';

const MIB = 2 ** 20;
const quiet: Quiet = { anon: 70 * MIB, resident: 120 * MIB, descriptors: 26, threads: 6, timers: 1, wakes: 2 };
const rest = (after: Partial<Quiet>) => ({ before: quiet, warm: quiet, after: { ...quiet, ...after } });

describe('the verdict', () => {
  test('what is as it was passes, and one more for nothing being wrong besides', () => {
    expect(judge(rest({}), [])).toMatchObject({ passed: 7, failed: 0 });
  });

  for (const [key, { most, name }] of Object.entries(BOUNDS) as [keyof Quiet, { most: number; name: string }][]) {
    test(`${name} may grow to its bound and no further`, () => {
      expect(judge(rest({ [key]: quiet[key] + most }), []).failed).toBe(0);
      const { rows, failed } = judge(rest({ [key]: quiet[key] + most * 1.01 }), []);
      expect(failed).toBe(1);
      expect(rows.filter(({ ok }) => !ok).map((row) => row.name)).toEqual([name]);
    });
  }

  test('a figure that could not be had is not right', () => {
    expect(judge(rest({ timers: Number.NaN }), []).failed).toBe(1);
  });

  test('it is the growth since the warm-up that counts, not that since the start', () => {
    const { anon, ...others } = quiet;
    expect(judge({ before: { ...others, anon: 1 }, warm: quiet, after: quiet }, []).failed).toBe(0);
    expect(anon).toBeGreaterThan(BOUNDS.anon.most);
  });

  test('each thing that went wrong is a failure', () => {
    expect(judge(rest({}), ['one', 'another'])).toMatchObject({ passed: 6, failed: 2, faults: ['one', 'another'] });
  });
});

const moment = (seconds: number): Moment => ({
  seconds,
  done: seconds / 1_000,
  anon: (60 + (seconds % 7)) * MIB,
  resident: 120 * MIB,
  descriptors: 90,
  threads: 6,
  timers: 40,
  cpu: seconds / 2,
  restarts: seconds * 20,
  lines: seconds * 1_000,
  probes: seconds * 100,
  calls: seconds * 10,
});
const outcome = (after: Partial<Quiet>): Outcome => ({
  amounts: { restarts: 20_000, lines: 1_000_000, probes: 100_000, calls: 10_000 },
  done: { restarts: 20_001, lines: 1_000_000, probes: 100_002, calls: 10_000 },
  seconds: 1_000,
  quiet: rest(after),
  judgement: judge(rest(after), []),
  moments: Array.from({ length: 1_000 }, (_, second) => moment(second)),
});

describe('the report', () => {
  test('says what was done, what it was before and after, and the verdict', () => {
    const text = renderResults(outcome({}));
    expect(text).toContain('npm run soak -- --restarts 20000 --lines 1000000 --probes 100000 --calls 10000');
    expect(text).toContain('20,001 restarts, 1,000,000 lines, 100,002 probes, 10,000 API calls, in 17 minutes');
    expect(text).toContain('| own memory of both processes | 70.0 MiB | 70.0 MiB | 70.0 MiB | +0.0 MiB | +24.0 MiB |');
    expect(text).toContain('own memory at most 66.0 MiB');
    expect(text).toContain('Verdict: nothing has grown');
  });

  test('says what has grown', () => {
    const grown = outcome({ descriptors: 40 });
    expect(renderOutcome(grown)).toMatch(/^descriptors +26 +26 +40 +\+14 +\+2 +TOO MUCH$/m);
    expect(renderOutcome(grown)).toEndWith('it is NOT as it was');
    expect(renderResults(grown)).not.toContain('nothing has grown');
  });
});

describe('the plot', () => {
  test('has a curve for each figure, each within its panel', () => {
    const svg = drawPlot(outcome({}).moments);
    const curves = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points = '']) => points.split(' '));
    expect(curves).toHaveLength(9);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)?.map(Number) ?? [];
    for (const curve of curves) {
      expect(curve.length).toBeGreaterThan(400);
      expect(curve.length).toBeLessThan(602);
      for (const point of curve) {
        const [x = -1, y = -1] = point.split(',').map(Number);
        expect(x >= 0 && x <= Number(width) && y >= 0 && y <= Number(height)).toBe(true);
      }
    }
    // A rectangle and a word in the legend for each, and every bracket closed.
    expect([...svg.matchAll(/<rect /g)]).toHaveLength(9);
    expect([...svg.matchAll(/<text/g)]).toHaveLength([...svg.matchAll(/<\/text>/g)].length);
    expect(svg).not.toContain('NaN');
  });

  test('draws something of nothing too', () => {
    expect(drawPlot([])).not.toContain('NaN');
    expect(drawPlot([moment(1)])).not.toContain('NaN');
  });

  test('an axis ends at a round number', () => {
    expect([0, 0.3, 1, 7, 12, 99, 130, 501].map(roundUp)).toEqual([1, 0.5, 1, 10, 20, 100, 200, 1_000]);
  });
});

describe('what is supervised', () => {
  test('is a right configuration', () => {
    const config = configuration({ folder: '/tmp/x', port: 8_000, control: 8_001 });
    const loaded = load(JSON.stringify(config));
    expect(loaded.ok ? [] : loaded.error.diagnostics.map(({ message }) => message)).toEqual([]);
    const parts = Object.values(PRINTERS).reduce((sum, part) => sum + part, 0);
    expect(parts).toBeCloseTo(1);
  });

  test('its counts are the sums over all services', () => {
    const text = [
      '# HELP svc_super_log_lines_total Lines',
      'svc_super_log_lines_total{service="a",stream="stdout"} 3',
      'svc_super_log_lines_total{service="b }",stream="stdout"} 4',
      'svc_super_service_restarts_total{service="a"} 5',
      'svc_super_probe_attempts_total{service="a",probe="live",index="0",result="ok"} 6',
      'svc_super_timers 2',
    ].join('\n');
    expect(countsOf(sumMetrics(text))).toEqual({ lines: 7, restarts: 5, probes: 6 });
    expect(sumMetrics(text).get('svc_super_timers')).toBe(2);
  });
});
