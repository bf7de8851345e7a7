// The fields of scheduled tasks: what may be written, what a plan has of it, and what is said of a mistake.
import { describe, expect, test } from 'bun:test';
import { oneService, planOf, printed, serviceOf } from './rig.ts';

const HEAD = 'command: run, type: task';
const scheduled = (fields: string) => `services:\n  a: { ${HEAD}, ${fields} }\n`;
const scheduleOf = (fields: string, environment: Readonly<Record<string, string>> = {}) =>
  serviceOf(scheduled(fields), { environment }).schedule;
const USUAL = { overlap: 'skip', catchUp: false, jitter: 0 } as const;

describe('a scheduled task', () => {
  test.each([
    '*/15 * * * *',
    '0 3 * * MON-FRI',
    '0 0 1,15 JAN *',
    '*/5 0-30 * * * *',
    '0 0 L * *',
    '0 9 * * MON#1',
    '@daily',
  ])('may run by %s', (expression) => {
    const when = { kind: 'cron', expression, timeZone: null } as const;
    expect(scheduleOf(`schedule: "${expression}"`)).toEqual({ when, ...USUAL });
  });

  test('has an interval instead, and says what happens to a time that finds a run', () => {
    expect(scheduleOf('every: 10m, overlap: queue, catch_up: true, jitter: 30s')).toEqual({
      when: { kind: 'every', interval: 600_000 },
      overlap: 'queue',
      catchUp: true,
      jitter: 30_000,
    });
  });

  test('follows time_zone, else TZ of its environment, else the container', () => {
    const zoneOf = (fields: string, environment = {}) => {
      const when = scheduleOf(`schedule: "@daily"${fields}`, environment)?.when;
      return when?.kind === 'cron' ? when.timeZone : undefined;
    };
    expect(zoneOf(', time_zone: Asia/Tokyo', { TZ: 'Europe/Berlin' })).toBe('Asia/Tokyo');
    expect(zoneOf('', { TZ: 'Europe/Berlin' })).toBe('Europe/Berlin');
    expect(zoneOf(', env: {TZ: ":UTC"}', { TZ: 'Europe/Berlin' })).toBe('UTC');
    expect(zoneOf('')).toBeNull();
  });

  test('is essential only if the file says so', () => {
    expect(serviceOf(scheduled('every: 10m')).essential).toBe(false);
    expect(serviceOf(scheduled('every: 10m, essential: true')).essential).toBe(true);
    expect(serviceOf(oneService('command: run', 'type: task')).essential).toBe(true);
  });

  test('is awaited by no stage', () => {
    const { services } = planOf(`services:
  a: { command: run, group: one }
  job: { ${HEAD}, every: 10m, group: one }
  b: { command: run, group: two }
`);
    expect(services[2]?.stageEdges.map(({ on }) => on)).toEqual(['a']);
  });
});

describe('a mistake in a schedule', () => {
  const WRONG: readonly (readonly [fields: string, why: string, help: string])[] = [
    ['schedule: "61 * * * *"', 'the minute `61`: minutes are 0–59', ''],
    ['schedule: "60 * * * * *"', 'the second `60`: seconds are 0–59', ''],
    ['schedule: "0 24 * * *"', 'the hour `24`: hours are 0–23', ''],
    ['schedule: "0 0 0 * *"', 'the day of the month `0`: days of the month are 1–31', ''],
    ['schedule: "0 0 40W * *"', 'the day of the month `40W`: days of the month are 1–31', ''],
    ['schedule: "0 0 L-3 * *"', 'the day of the month `L-3`: the ends of a range are numbers', ''],
    ['schedule: "0 0 * FBE *"', 'the month `FBE`: months are 1–12, or JAN to DEC', 'did you mean `FEB`?'],
    ['schedule: "0 0 * Sept *"', 'the month `Sept`', 'write `SEP`'],
    ['schedule: "0 0 * * 8"', 'the day of the week `8`: days of the week are 0–7, or SUN to SAT', ''],
    ['schedule: "0 0 * * mon-fir"', 'the day of the week `mon-fir`', 'did you mean `FRI`?'],
    ['schedule: "0 0 * * MUN"', 'the day of the week `MUN`', 'did you mean `MON`?'],
    ['schedule: "0 0 * * MON#6"', 'the day of the week `MON#6`: the number after `#` is 1–5, or `L`', ''],
    ['schedule: "1-5-9 * * * *"', 'the minute `1-5-9`: a range has two ends', ''],
    ['schedule: "1,,2 * * * *"', 'the minute `1,,2`: a value is missing', ''],
    ['schedule: "50-10 * * * *"', 'the minute `50-10`: the range begins after it ends', 'write `50-59,0-10`'],
    ['schedule: "5/10 * * * *"', 'the minute `5/10` has a step and no range', 'write `5-59/10`'],
    ['schedule: "*/0 * * * *"', 'the minute `*/0`: a step is 1–59', '`*/3` is every third minute'],
    ['schedule: "*/61 * * * *"', 'the minute `*/61`: a step is 1–59', 'write `every: 61m` instead'],
    ['schedule: "0 0 * */13 *"', 'the month `*/13`: a step is 1–12', ''],
    ['schedule: "* * * *"', 'it has 4 fields, and a schedule has five fields', 'for example `*/15 * * * *`'],
    ['schedule: "0 0 30 2 *"', 'no date matches it', ''],
    ['schedule: "@dayly"', '`@dayly` is not known', 'did you mean `@daily`?'],
    ['schedule: "@every 5m"', '`@every` is a field here', 'write `every: 5m`'],
    ['schedule: "@reboot"', '`@reboot` is no time', 'remove `schedule`'],
    ['schedule: "@daily", time_zone: Europe/Berln', 'no time zone of that name', 'did you mean `Europe/Berlin`?'],
    ['schedule: "@daily", time_zone: berlin', 'no time zone of that name', 'did you mean `Europe/Berlin`?'],
    ['schedule: "@daily", time_zone: UTC+2', 'no time zone of that name', 'write `+02:00`'],
    ['schedule: "@daily", every: 10m', '`schedule` and `every` are alternatives', 'remove one of them'],
    ['every: 500ms', '`every` must be a duration of at least 1s', ''],
    ['every: 10m, jitter: 10m', '`jitter` (10m) must be shorter than `every` (10m)', ''],
    ['every: 10m, time_zone: UTC', '`every` is an interval, so it has no time zone', 'remove `time_zone`'],
    ['every: 10m, overlap: forbid', '`overlap` must be', 'did you mean `skip`?'],
    ['overlap: kill', '`overlap` says how `a` runs again, but it has neither `schedule` nor `every`', 'add `schedule'],
    ['every: 10m, restart: always', 'it cannot restart always', 'restart: on-failure'],
    ['every: 10m, timezone: UTC', 'unknown key `timezone`', 'it is called `time_zone`'],
  ];

  test.each(WRONG)('%s', (fields, why, help) => {
    const text = printed(scheduled(fields));
    expect(text).toContain(why);
    expect(text).toContain(help);
  });

  test('`defaults` may have fields that only tasks with a schedule need', () => {
    const defaults = 'defaults: { time_zone: UTC, overlap: skip, jitter: 1s }\n';
    const services = 'services: { a: { command: run }, b: { command: run, type: task, every: 10m } }\n';
    expect(printed(`${defaults}${services}`)).toBe('');
  });

  test('a service, TZ that is no name, and a dependent that would restart each time', () => {
    const service = printed('services: { a: { command: run, every: 10m } }\n');
    expect(service).toContain('only a task runs by `every`');
    expect(service).toContain('help: add `type: task`');
    const zone = printed(scheduled('schedule: "@daily"'), { environment: { TZ: 'CET-1CEST' } });
    expect(zone).toContain('the schedule of `a` follows `TZ`, which is not the name of a time zone');
    const dependent = `  b: { command: run, depends_on: { a: { restart: true } } }\n`;
    expect(printed(scheduled('every: 10m') + dependent)).toContain(
      '`b` cannot restart with `a`, which runs by a schedule',
    );
  });
});
