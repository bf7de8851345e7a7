// Which services start with the supervisor.
import { expect, test } from 'bun:test';
import { startingServices } from '../../src/plan/starting.ts';
import { load } from '../config/rig.ts';

const FILE = `
services:
  web: { command: web, depends_on: [store] }
  store: { command: store, start: manual, depends_on: [deep, off] }
  deep: { command: deep, start: manual }
  debug: { command: debug, profiles: [debug], depends_on: [probe] }
  probe: { command: probe, start: manual }
  off: { command: off, enabled: false }
`;

test('those that start by themselves, and what they need, also through others', () => {
  const loaded = load(FILE);
  expect(loaded.ok ? [...startingServices(loaded.value.plan.services)] : []).toEqual(['web', 'store', 'deep']);
});
