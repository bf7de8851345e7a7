// Kills by the kernel because of `memory_limit`: reported once, and never for a SIGKILL that has another cause.
import { expect, test } from 'bun:test';
import type { Exit } from '../../src/plan/process.ts';
import { makeLimitReporter } from '../../src/up/limit-kills.ts';
import { planOf } from '../config/rig.ts';

const KILLED: Exit = { kind: 'signal', signal: 'SIGKILL', number: 9 };
const plan = planOf('services:\n  a: { command: a, memory_limit: 1GiB }\n  b: { command: b }\n');

/** `ends` reports the end of the main process of a service, and how many kills its cgroup has counted then. */
function reporter(before: number) {
  const counted = new Map([['a', before]]);
  const texts: string[] = [];
  const report = makeLimitReporter(
    ({ service, text }) => void texts.push(`${service} ${text}`),
    (service) => counted.get(service) ?? 0,
    plan,
  );
  const ends = (name: string, exit: Exit, kills: number) => {
    counted.set('a', kills);
    const spec = plan.services.find((service) => service.name === name);
    if (spec !== undefined) report(spec, exit);
    return texts.splice(0);
  };
  return ends;
}

test('a main process that the kernel has killed', () => {
  const ends = reporter(0);
  expect(ends('a', KILLED, 1)).toEqual(['a used more than memory_limit (1.0 GiB): the kernel has ended it']);
  expect(ends('a', KILLED, 1)).toEqual([]);
  expect(ends('b', KILLED, 2)).toEqual([]);
});

test('kills from before this supervisor, and of a child in an earlier run, explain no later SIGKILL', () => {
  const ends = reporter(3);
  expect(ends('a', KILLED, 3)).toEqual([]);
  expect(ends('a', { kind: 'code', code: 1 }, 4)).toEqual([]);
  expect(ends('a', KILLED, 4)).toEqual([]);
  expect(ends('a', KILLED, 5)).toHaveLength(1);
});
