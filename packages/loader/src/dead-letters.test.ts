import { keySlice } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { GatedOrigin } from '../test/gated-origin.js';
import { failure, message, Rig, settle } from '../test/rig.js';
import { EntryFlag } from './entry-memory.js';
import { MemoryOrigin } from './origins/memory.js';
import type { WriteBehindPolicy } from './policy.js';

/** An origin that refuses the value 'poison'. */
function rigOf(writeBehind: WriteBehindPolicy = {}): Rig {
  const refuses = ({ value }: { value: Uint8Array }) =>
    Buffer.from(value).toString() === 'poison' ? 'no poison' : undefined;
  const origin = new GatedOrigin(new MemoryOrigin(refuses));
  origin.gated = false;
  const policy = { maxDelay: 10, retryFirst: 100, retryMax: '1s', ...writeBehind } as const;
  return new Rig({ read: 'through', write: 'behind', writeBehind: policy }, origin);
}

async function pass(rig: Rig, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) {
    rig.clock.advance(Math.min(100, ms - passedMs));
    await settle();
  }
}

describe('a row that the origin refuses', () => {
  test('is a dead letter with its error, tried again by itself five times in all, and then no more', async () => {
    const rig = rigOf();
    rig.set('a', 'poison');
    rig.set('b', 'good');
    await pass(rig, 10);
    const [letter] = rig.loader.deadLetters(10);
    expect(letter).toMatchObject({
      key: 'a',
      attempts: 1,
      ageMs: 10,
      error: { code: 'ORIGIN', outcome: 'not-applied' },
    });
    expect(letter?.error.message).toContain('no poison');
    expect(letter?.retryInMs).toBeGreaterThan(0);
    await pass(rig, 60_000);
    expect(rig.loader.deadLetters(10)).toEqual([
      expect.objectContaining({ key: 'a', attempts: 5, retryInMs: undefined }),
    ]);
    expect(rig.loader.statistics()).toMatchObject({ refusedRows: 1, givenUpRows: 1, pendingWrites: 1 });
    expect(rig.get('a').outcome).toEqual({ value: 'poison', from: 'memory' });
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('is listed up to the limit, those that are not tried again first', async () => {
    const rig = rigOf({ deadLetterAfter: 2 });
    rig.set('a', 'poison');
    await pass(rig, 1_000);
    rig.set('b', 'poison');
    await pass(rig, 10);
    expect(rig.loader.deadLetters(10).map(({ key, attempts }) => [key, attempts])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(rig.loader.deadLetters(1).map(({ key }) => key)).toEqual(['a']);
  });

  test('does not delay a drain once it was given up', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    rig.set('a', 'poison');
    expect(await rig.loader.drain(1_000)).toBe(1);
    const statements = rig.origin.calls.length;
    expect(await rig.loader.drain(1_000)).toBe(1);
    expect(rig.origin.calls).toHaveLength(statements);
  });

  test('leaves the list when it gets a value that is accepted, or goes with its partition', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    for (const key of ['a', 'b', 'c']) rig.set(key, 'poison');
    await pass(rig, 10);
    rig.set('a', 'good');
    rig.loader.disown(keySlice(Buffer.from('b')).partition);
    expect(rig.loader.deadLetters(10).map(({ key }) => key)).toEqual(['c']);
    await pass(rig, 100);
    expect(rig.rowText('a')).toBe('good');
    expect(rig.loader.statistics()).toMatchObject({ refusedRows: 1, pendingWrites: 1 });
  });

  test('is in the list of the node that takes its partition over', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    const key = keySlice(Buffer.from('a'));
    rig.memory.put(key, Buffer.from('poison'), 0, 6, 0, EntryFlag.dirty);
    rig.loader.adopt(key, rig.memory.peek(key));
    await pass(rig, 100);
    expect(rig.loader.deadLetters(10)).toMatchObject([{ key: 'a', attempts: 1 }]);
  });
});

describe('a dead letter', () => {
  test('is tried again by whoever asks for it, once', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    rig.set('a', 'poison');
    await pass(rig, 10);
    expect(rig.loader.retryDeadLetter('a')).toBe(true);
    await settle();
    expect(rig.loader.deadLetters(10)).toMatchObject([{ attempts: 2, retryInMs: undefined }]);
    rig.origin.rows.accept();
    expect(rig.loader.retryDeadLetter('a')).toBe(true);
    await settle();
    expect(rig.rowText('a')).toBe('poison');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, refusedRows: 0, deadLettersRetried: 2 });
    expect(rig.loader.retryDeadLetter('a')).toBe(false);
  });

  test('that is discarded is forgotten, and the next read asks the origin', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    await rig.row('a', 'old');
    rig.set('a', 'poison');
    await pass(rig, 10);
    expect(rig.loader.discardDeadLetter('a')).toBe(true);
    expect(rig.loader.discardDeadLetter('a')).toBe(false);
    expect(await rig.get('a').told).toEqual({ value: 'old', from: 'memory' });
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, refusedRows: 0, deadLettersDiscarded: 1 });
  });

  test('must be one: what is pending is neither tried nor discarded in its name', () => {
    const rig = rigOf();
    rig.set('a', 'good');
    expect([rig.loader.retryDeadLetter('a'), rig.loader.discardDeadLetter('a')]).toEqual([false, false]);
    expect([rig.loader.retryDeadLetter('b'), rig.loader.discardDeadLetter('b')]).toEqual([false, false]);
  });

  test('fails a write-through of its key, which says what to do', async () => {
    const rig = rigOf({ deadLetterAfter: 1 });
    rig.set('a', 'poison');
    await pass(rig, 10);
    const refused = await rig.setBy('through', 'a', 'good').told;
    expect(failure(refused)).toBe('ORIGIN not-applied');
    expect(message(refused)).toContain('retry or discard that dead letter first');
    expect(rig.get('a').outcome).toEqual({ value: 'poison', from: 'memory' });
  });
});
