import { type SessionResponseReader, SessionResponseWriter } from '@larder/proto';
import { expect, test } from 'vitest';
import { Inbox, type InboxOwner } from './inbox.js';

class Owner implements InboxOwner {
  readonly ids: number[] = [];
  readonly faults: Error[] = [];
  slices = 0;
  sliceMax = 10;
  readonly inbox = new Inbox(this);

  repliesMax(): number {
    return this.sliceMax;
  }
  reply(reader: SessionResponseReader): void {
    this.ids.push(reader.id);
  }
  view(): void {}
  sliceDone(): void {
    this.slices++;
  }
  malformed(error: Error): void {
    this.faults.push(error);
  }
}

function frameOf(ids: readonly number[], valueBytes = 0): Buffer {
  const writer = new SessionResponseWriter(1024);
  for (const id of ids) writer.hit(id, valueBytes, false);
  return writer.take();
}

const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a slice is handled at once, the rest in later turns', async () => {
  const owner = new Owner();
  owner.inbox.receive(frameOf(range(25)));
  expect(owner.ids).toEqual(range(10));
  await turn();
  expect(owner.ids).toEqual(range(20));
  owner.inbox.receive(frameOf(range(3, 25)));
  expect(owner.ids).toEqual(range(20));
  await turn();
  expect(owner.ids).toEqual(range(28));
  expect(owner.slices).toBe(3);
});

test('a client that is slower than its node stops reading until it has caught up', async () => {
  const owner = new Owner();
  const calls: string[] = [];
  owner.inbox.reset({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
  owner.sliceMax = 1;
  for (let index = 0; index < 50; index++) owner.inbox.receive(frameOf([2 * index, 2 * index + 1], 64 * 1024));
  expect(calls).toEqual(['pause']);
  while (owner.ids.length < 100) await turn();
  expect(calls).toEqual(['pause', 'resume']);
  expect(owner.ids).toEqual(range(100));
});

test('finish handles everything that has come', () => {
  const owner = new Owner();
  owner.inbox.receive(frameOf(range(25)));
  owner.inbox.receive(frameOf(range(25, 25)));
  owner.inbox.finish();
  expect(owner.ids).toEqual(range(50));
});

test('a malformed frame is told and ends the slice; reset forgets what follows', async () => {
  const owner = new Owner();
  owner.inbox.receive(Buffer.concat([frameOf([1, 2]), Buffer.from([0x0a, 0x7f])]));
  expect(owner.ids).toEqual([1, 2]);
  expect(owner.faults).toHaveLength(1);
  owner.inbox.reset(undefined);
  await turn();
  owner.inbox.receive(frameOf([3]));
  expect(owner.ids).toEqual([1, 2, 3]);
});
