// The text of a reload. Pure.
import { expect, test } from 'bun:test';
import { renderReload } from '../../../src/cli/commands/reload.ts';

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
  };
  expect(renderReload(body)).toBe(
    '+ new: starts\n~ a: env: restarts\n~ b: restart\n- old: stops\napplied; 2 unchanged\n',
  );
  expect(renderReload({ ...body, added: [], removed: [], changed: [] })).toBe('nothing has changed\n');
});
