// What a reload says that it does, and what a change of the number of replicas refuses to bring with it.
import { expect, test } from 'bun:test';
import type { Event } from '../../src/core/event.ts';
import { newWorld } from '../../src/core/world.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import { performReload } from '../../src/up/reload.ts';
import { memoryFiles, PATH, planOf } from '../config/rig.ts';

const SERVICES = 'services:\n  web: { command: web, replicas: 2 }\n';

/** What performReload() needs where the file was `before` and is now `text`. */
function partsOf(before: string, text: string, send: (event: Event) => void) {
  const engine = { world: newWorld(planOf(before), 1), send };
  return {
    names: [],
    environment: {},
    files: memoryFiles({ [PATH]: text }),
    gpus: () => ({ gpus: [], why: null }) as never,
    limitMemory: () => null,
    engine: engine as unknown as Engine,
    announce: () => undefined,
    findHolder: () => null,
    owners: () => new Map(),
    ofRun: <T>(service: T) => service,
    prepare: () => undefined,
  };
}

/** Scales `web` from 2 to 3 replicas although the file is now `text`; returns why nothing changed, or the events that were sent. */
function scaleWith(text: string): string | readonly Event['type'][] {
  const sent: Event['type'][] = [];
  const parts = partsOf(SERVICES, text, ({ type }) => sent.push(type));
  const result = performReload(parts, 'apply', { service: 'web', replicas: 3 });
  return result.ok ? sent : result.text;
}

test('a new number of replicas changes nothing else, and is refused if the file has other changes', () => {
  expect(scaleWith(SERVICES)).toEqual(['plan-changed']);
  expect(scaleWith(`${SERVICES}  more: { command: x }\n`)).toBe(
    'nothing was changed: the file has other changes, which only a reload applies: more (new)',
  );
});

test.each([
  ['name: other', 'name'],
  ['exit: all', 'exit'],
  ['stop_timeout: 3s', 'stop_timeout'],
  ['stop_signals: [TERM]', 'stop_signals'],
  ['log: { level: warn }', 'log'],
  ['hosts: true', 'hosts'],
  ['control: { http: { listen: 127.0.0.1:9100 } }', 'control'],
])('`%s` at the top of the file is another change', (line, key) => {
  expect(scaleWith(`${line}\n${SERVICES}`)).toBe(
    `nothing was changed: the file has other changes, which only a reload applies: ${key}`,
  );
});

test('a service that is not enabled is not restarted', () => {
  const before = 'services:\n  web: { command: web, enabled: false }\n  other: { command: x }\n';
  const result = performReload(
    partsOf(before, before.replace('command: web', 'command: other'), () => undefined),
    'dry-run',
  );
  expect(result).toMatchObject({ ok: true, changed: [{ name: 'web', action: 'next-start', restarts: false }] });
});
