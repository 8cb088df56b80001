import { OperationKind, RequestItem, SessionRequestReader, TTL_DEFAULT } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { Outbox } from './outbox.js';

const KEY = Buffer.from('key');

interface Write {
  /** The bytes as they lie there: the stream holds on to the buffer, as grpc-js may. */
  readonly frame: Buffer;
  done(): void;
}

function streamOf(writes: Write[]) {
  return { write: (frame: Buffer, done: () => void) => writes.push({ frame, done }) };
}

function append(outbox: Outbox, id: number, value?: Buffer): number {
  const { frame } = outbox;
  outbox.writer.operation(id, OperationKind.set, 0, KEY, KEY.length, value, TTL_DEFAULT, 0);
  outbox.appended();
  return frame;
}

function idsOf(frame: Buffer): number[] {
  const reader = new SessionRequestReader();
  reader.reset(frame);
  const ids: number[] = [];
  while (reader.next() === RequestItem.operation) ids.push(reader.id);
  return ids;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function opened(): { outbox: Outbox; writes: Write[]; rooms: () => number } {
  const writes: Write[] = [];
  let rooms = 0;
  const outbox = new Outbox(() => rooms++);
  outbox.reset(streamOf(writes));
  return { outbox, writes, rooms: () => rooms };
}

describe('frames', () => {
  test('what is written while a write is outstanding is one frame, sent when it is done', async () => {
    const { outbox, writes } = opened();
    append(outbox, 1);
    await turn();
    append(outbox, 2);
    await turn();
    append(outbox, 3);
    await turn();
    expect(writes.map(({ frame }) => idsOf(frame))).toEqual([[1]]);
    writes[0]?.done();
    expect(writes.map(({ frame }) => idsOf(frame))).toEqual([[1], [2, 3]]);
  });

  test('a buffer is not written into before its write is done', async () => {
    const { outbox, writes } = opened();
    append(outbox, 1);
    await turn();
    const before = Buffer.from(writes[0]?.frame as Buffer);
    for (let id = 2; id < 5_000; id++) append(outbox, id);
    await turn();
    expect(writes[0]?.frame.equals(before)).toBe(true);
    writes[0]?.done();
    for (let index = 1; index < writes.length; index++) writes[index]?.done();
    expect(writes.flatMap(({ frame }) => idsOf(frame)).length).toBeGreaterThan(0);
  });

  test('nothing is lost or doubled over many frames, and order is kept', async () => {
    const { outbox, writes } = opened();
    const seen: number[] = [];
    const takeWrites = (): void => {
      for (let write = writes.shift(); write; write = writes.shift()) {
        seen.push(...idsOf(write.frame));
        write.done();
      }
    };
    for (let id = 0; id < 20_000; id++) {
      append(outbox, id, Buffer.alloc(id % 700));
      if (outbox.isFull) takeWrites();
      if (id % 1_000 === 0) await turn();
    }
    await turn();
    takeWrites();
    expect(seen).toEqual(Array.from({ length: 20_000 }, (_, id) => id));
  });
});

describe('what has been sent', () => {
  test('is known by frame', async () => {
    const { outbox, writes } = opened();
    const first = append(outbox, 1);
    expect(outbox.hasSent(first)).toBe(false);
    await turn();
    expect(outbox.hasSent(first)).toBe(true);
    const second = append(outbox, 2);
    await turn();
    expect(outbox.hasSent(second)).toBe(false);
    writes[0]?.done();
    expect(outbox.hasSent(second)).toBe(true);
  });

  test('a new stream gets nothing that was meant for the last one, whose late callback means nothing', async () => {
    const { outbox, writes } = opened();
    append(outbox, 1);
    await turn();
    for (let index = 0; index < 40; index++) append(outbox, 2, Buffer.alloc(1_000));
    const next: Write[] = [];
    outbox.reset(streamOf(next));
    const third = append(outbox, 3);
    expect(outbox.hasSent(third)).toBe(false);
    await turn();
    expect(outbox.hasSent(third)).toBe(true);
    const held = Buffer.from(next[0]?.frame as Buffer);
    writes[0]?.done();
    append(outbox, 4);
    await turn();
    expect(next.map(({ frame }) => idsOf(frame))).toEqual([[3]]);
    expect(next[0]?.frame.equals(held)).toBe(true);
    next[0]?.done();
    expect(next.map(({ frame }) => idsOf(frame))).toEqual([[3], [4]]);
  });
});

test('a stream that does not take its frames makes the outbox full, and room is told when it does', async () => {
  const { outbox, writes, rooms } = opened();
  const value = Buffer.alloc(16 * 1024);
  let written = 0;
  while (!outbox.isFull) append(outbox, written++, value);
  expect(written * value.length).toBeLessThan(3 * 1024 * 1024);
  expect(rooms()).toBe(0);
  for (let index = 0; index < written / 2 + 4; index++) writes[index]?.done();
  expect(outbox.isFull).toBe(false);
  expect(rooms()).toBe(1);
});
