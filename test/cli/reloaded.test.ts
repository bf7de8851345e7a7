// The text of a reload. Pure.
import { expect, test } from 'bun:test';
import { renderReload } from '../../src/cli/reloaded.ts';

test('a reload is a line for each changed service', () => {
  const body = {
    applied: true,
    added: ['new'],
    removed: ['old'],
    changed: [
      { name: 'a', fields: ['env'], restarts: true },
      { name: 'b', fields: ['restart'], restarts: false },
    ],
    unchanged: ['c', 'd'],
    scale: [],
  };
  expect(renderReload(body)).toBe(
    '+ new: starts\n~ a: env: restarts\n~ b: restart\n- old: stops\napplied; 2 unchanged\n',
  );
  expect(renderReload({ ...body, added: [], removed: [], changed: [] })).toBe('nothing has changed\n');
});

test('a number of replicas that `scale` has set is a line, whether it is kept or not', () => {
  const body = { applied: true, added: [], removed: [], changed: [], unchanged: [] };
  const kept = { name: 'web', replicas: 5, file: 2, kept: true };
  const scale = [kept, { ...kept, file: 3, kept: false }, { ...kept, file: null, kept: false }];
  expect(renderReload({ ...body, scale })).toBe(
    '= web: 5 replicas by `scale`; the file has 2\n' +
      '= web: 3 replicas, as the file has changed; its 5 by `scale` no longer apply\n' +
      '= web: no longer in the file; its 5 replicas by `scale` no longer apply\nnothing has changed\n',
  );
});
