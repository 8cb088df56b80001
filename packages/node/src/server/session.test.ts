import { deferred, ManualClock, seededRandom } from '@larder/base';
import { Loader, type Origin, resolveCachePolicy } from '@larder/loader';
import { OperationKind, PROTOCOL_VERSION, SessionRequestWriter, TTL_DEFAULT } from '@larder/proto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type LoneNode, loneNode } from '../testing/lone-node.js';
import { Session } from './session.js';
import { HeldStream } from './testing/held-stream.js';

const MEBIBYTE = 1024 ** 2;
const TABLE = { postgresTable: { table: 'rows', key: 'id' } };

/** Loads end when the test lets them. */
let gate: ReturnType<typeof deferred<void>>;
/** Of every row. */
let valueBytes: number;
let stream: HeldStream;
let session: Session;

let node: LoneNode;

beforeEach(async () => {
  gate = deferred();
  valueBytes = 10;
  const clock = new ManualClock();
  const caches = [{ cache: 0, memoryBytesMax: 64 * MEBIBYTE, eviction: 'lru' as const }];
  const options = { memoryBytesMax: 96 * MEBIBYTE, valueBytesMax: MEBIBYTE, caches };
  const origin: Origin = {
    callMsMax: 1,
    async loadMany(keys) {
      await gate.promise;
      return keys.map(() => Buffer.alloc(valueBytes));
    },
    async writeMany() {},
    deleteMany: async (keys) => keys.map(() => false),
    async close() {},
  };
  const policy = resolveCachePolicy({ origin: TABLE, loads: { maxStatements: 32 } });
  node = await loneNode(clock, options, (memory, id) => ({
    id,
    name: 'rows',
    memory,
    loader: new Loader({ name: 'rows', policy, memory, origin, clock, random: seededRandom(2) }),
  }));
  const held = HeldStream.open();
  stream = held.stream;
  session = new Session(held.asSession, node.context, () => {});
  stream.emit('data', frameOf([], true));
  stream.read();
});
afterEach(() => node.stop());
afterEach(() => vi.restoreAllMocks());

function frameOf(ids: readonly number[], isFirst = false): Buffer {
  const writer = new SessionRequestWriter(64 * 1024);
  if (isFirst) {
    writer.hello(PROTOCOL_VERSION, 'a test', 0);
    writer.open(0, 'rows');
  }
  for (const id of ids) {
    const key = Buffer.from(`key:${id}`);
    writer.operation(id, OperationKind.get, 0, key, key.length, undefined, TTL_DEFAULT, 0);
  }
  return writer.take();
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads until every one of these was answered once; fails the test after so many turns without an answer. */
async function readAll(ids: readonly number[]): Promise<void> {
  const missing = new Set(ids);
  for (let idle = 0; missing.size > 0 && idle < 200; idle++) {
    for (const id of stream.read()) {
      expect(missing.delete(id), `operation ${id} was answered twice, or was not asked`).toBe(true);
      idle = 0;
    }
    await turn();
  }
  expect(missing.size).toBe(0);
}

describe('a client that does not read its replies', () => {
  beforeEach(async () => {
    valueBytes = 2_000;
    gate.resolve();
    stream.emit('data', frameOf(range(1, 1000)));
    await readAll(range(1, 1000));
  });

  test('costs the node no turns of its event loop', async () => {
    for (let frame = 0; frame < 10; frame++) stream.emit('data', frameOf(range(1, 1000)));
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(stream.unread).toBe(1);
    const scheduled = vi.spyOn(globalThis, 'setImmediate');
    await new Promise((resolve) => process.nextTick(resolve));
    const before = scheduled.mock.calls.length;
    for (let turns = 0; turns < 10; turns++) await turn();
    expect(scheduled.mock.calls.length - before).toBe(10);
  });

  test('is not told of every view that it has missed, but of the newest', async () => {
    stream.emit('data', frameOf(range(1, 10)));
    while (stream.unread === 0) await turn();
    session.viewChanged();
    const bytes = session.writer.at;
    const view = node.context.view!;
    const newest = view.version + 100;
    for (let version = view.version + 1; version <= newest; version++) {
      node.context.view = { ...view, version };
      session.viewChanged();
    }
    expect(session.writer.at).toBe(bytes);
    stream.views.length = 0;
    for (let frames = 0; frames < 2; frames++) stream.read();
    expect(stream.views).toEqual([view.version, newest]);
  });

  test('is answered in full once it reads', async () => {
    for (let frame = 0; frame < 10; frame++) stream.emit('data', frameOf(range(1 + frame * 100, 100)));
    for (let turns = 0; turns < 20; turns++) await turn();
    await readAll(range(1, 1000));
    expect(session.inFlight).toBe(0);
  });

  test('is not read from while a mebibyte of its frames waits', async () => {
    for (let frame = 0; !stream.isPaused; frame++) {
      expect(frame).toBeLessThan(1000);
      stream.emit('data', frameOf(range(1, 1000)));
    }
    while (stream.isPaused) {
      expect(stream.unread).toBe(1);
      stream.read();
      await turn();
    }
  });
});

test('more than a mebibyte of loaded values, come between two slices, is answered', async () => {
  valueBytes = 4_000;
  // The first replies are on their way, and more operations wait for the next slice.
  stream.emit('data', frameOf(range(1, 1000)));
  while (session.inFlight < 1000) await turn();
  for (let turns = 0; turns < 5; turns++) await turn();
  stream.emit('data', frameOf(range(2000, 1000)));
  gate.resolve();
  await readAll([...range(1, 1000), ...range(2000, 1000)]);
});

test('a frame that opens more caches than a cluster can have ends the session', async () => {
  const writer = new SessionRequestWriter(64 * 1024);
  for (let count = 0; count <= 4096; count++) writer.open(0, 'rows');
  stream.emit('data', writer.take());
  for (let turns = 0; turns < 50 && !stream.fault; turns++) await turn();
  expect(stream.fault?.details).toBe('BAD_ARGUMENT: a frame opens more than 4096 caches');
});

test('as many openings as a frame may have are handled in slices', async () => {
  const writer = new SessionRequestWriter(64 * 1024);
  for (let count = 0; count < 4096; count++) writer.open(0, `no such cache ${count}`);
  gate.resolve();
  stream.emit('data', writer.take());
  expect(session.inFlight).toBe(1);
  stream.emit('data', frameOf([1]));
  await readAll([1]);
});
