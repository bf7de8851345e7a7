// The text of a reload. Pure.
import { expect, test } from 'bun:test';
import { renderReload } from '../../src/cli/reloaded.ts';
import type { Change } from '../../src/control/source.ts';

const change = (name: string, action: Change['action'], ...changes: Change['changes']): Change => ({
  name,
  fields: [...new Set(changes.map(({ field }) => field.split('.')[0] ?? ''))],
  changes,
  action,
  restarts: action === 'restarts',
});

test('a reload shows of each service the old and the new values, and then what happens to it', () => {
  const body = {
    applied: true,
    added: ['new', 'tool'],
    idle: ['tool'],
    removed: ['old'],
    changed: [
      change('a', 'restarts', { field: 'env.A', from: null, to: '1\u0007' }, { field: 'cwd', from: '/a', to: null }),
      change('b', 'in-place', { field: 'restart.max', from: '3', to: '5' }),
    ],
    unchanged: ['c', 'd'],
    scale: [],
  };
  expect(renderReload(body)).toBe(`+ new: starts
+ tool: does not start by itself
~ a: env, cwd
    env.A: none → 1\\x07
    cwd: /a → none
    restarts
~ b: restart
    restart.max: 3 → 5
    takes effect without a restart
- old: stops
applied; 2 unchanged
`);
  expect(renderReload({ ...body, added: [], removed: [], changed: [] })).toBe('nothing has changed\n');
});

test('a number of replicas that `scale` has set is a line, whether it is kept or not', () => {
  const body = { applied: true, added: [], idle: [], removed: [], changed: [], unchanged: [] };
  const kept = { name: 'web', replicas: 5, file: 2, kept: true };
  const scale = [kept, { ...kept, file: 3, kept: false }, { ...kept, file: null, kept: false }];
  expect(renderReload({ ...body, scale })).toBe(
    '= web: 5 replicas, set by `scale`; the file has 2\n' +
      '= web: 3 replicas, as the file has changed; the 5 set by `scale` no longer apply\n' +
      '= web: no longer in the file; the 5 replicas set by `scale` no longer apply\nnothing has changed\n',
  );
});
