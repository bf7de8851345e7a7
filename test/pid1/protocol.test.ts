// Frames as bytes: events are decoded from any pieces. The tests of the native program (test/native) decode the requests.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { EVENT, EventReader, encodeHello, encodeSignal, type Pid1Event, STEPS } from '../../src/pid1/protocol.ts';

const u32 = (...numbers: readonly number[]) => {
  const bytes = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => void bytes.writeUInt32LE(number >>> 0, 4 * index));
  return bytes;
};
const u64 = (number: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
};
const frame = (type: number, ...parts: readonly Buffer[]) => {
  const payload = Buffer.concat(parts);
  return Buffer.concat([u32(payload.length + 4, type), payload]);
};

const SAMPLES: readonly (readonly [Buffer, Pid1Event])[] = [
  [
    frame(EVENT.spawned, u32(7, 42), u64(123_456_789_012), u32(2, 9, 10)),
    { type: 'spawned', run: 7, pid: 42, start: 123_456_789_012, pipes: [9, 10] },
  ],
  [frame(EVENT.failed, u32(7, 12, 2, 0)), { type: 'failed', run: 7, step: 'exec', errno: 2, index: 0 }],
  [frame(EVENT.exited, u32(7, 0x0300)), { type: 'exited', run: 7, status: 0x0300 }],
  [frame(EVENT.reaped, u64(5), u32(1, 1, 77)), { type: 'reaped', total: 5, isComplete: true, pids: [77] }],
  [
    frame(EVENT.signalled, u32(3, 400, 1, 2, 1)),
    { type: 'signalled', sequence: 3, total: 400, failures: [{ index: 2, errno: 1 }] },
  ],
  [frame(EVENT.received, u32(15, 0, 8)), { type: 'received', signal: 15, code: 0, pid: 8 }],
  [
    frame(EVENT.notified, u32(7, 8, 65_534, 8), Buffer.from('READY=1\0')),
    { type: 'notified', run: 7, pid: 8, uid: 65_534, text: 'READY=1' },
  ],
  [frame(EVENT.kept, u32(3, 9), Buffer.from('four')), { type: 'kept', key: 3, size: 9, part: Buffer.from('four') }],
  [
    frame(EVENT.run, u32(7, 3, 42), u64(99), u64(2 ** 53), u32(12, 2, 0, 0x0300, 5, 2, 9, 10)),
    {
      type: 'run',
      ...{ run: 7, state: 'exited', pid: 42, start: 99, mark: 2n ** 53n, status: 0x0300, order: 5, pipes: [9, 10] },
      failure: { step: 'exec', errno: 2, index: 0 },
    },
  ],
  [frame(EVENT.restored, u32(77)), { type: 'restored', lastRun: 77 }],
  [frame(EVENT.ping), { type: 'ping' }],
];

test('every event is decoded', () => {
  for (const [bytes, event] of SAMPLES) expect(new EventReader().push(bytes)).toEqual([event]);
  expect(SAMPLES.map(([, { type }]) => type).sort()).toEqual(Object.keys(EVENT).sort() as Pid1Event['type'][]);
});

test('events are decoded from any pieces', () => {
  const all = Buffer.concat(SAMPLES.map(([bytes]) => bytes));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: all.length })), (cuts) => {
      const reader = new EventReader();
      const edges = [0, ...cuts.sort((a, b) => a - b), all.length];
      const found = edges.slice(1).flatMap((edge, at) => reader.push(all.subarray(edges[at], edge)));
      expect(found).toEqual(SAMPLES.map(([, event]) => event));
    }),
  );
});

test('an event of another release is refused', () => {
  expect(() => new EventReader().push(frame(200))).toThrow('event 200');
});

test('requests are frames: length, type, payload', () => {
  expect(encodeSignal(1, 15, [{ kind: 'process', pid: 5, start: 6 }])).toEqual(frame(3, u32(1, 15, 1, 0, 5), u64(6)));
  expect(encodeHello(9_000, [15]).readUInt32LE(4)).toBe(1);
});

test('every step has a name', () => {
  expect(new Set(Object.values(STEPS)).size).toBe(Object.keys(STEPS).length);
});
