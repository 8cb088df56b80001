import { keySlice } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { failure, message, Rig, settle } from '../../test/rig.js';
import type { WriteBehindPolicy } from '../policy.js';

function behind(writeBehind: WriteBehindPolicy = {}): Rig {
  return new Rig({ read: 'through', write: 'behind', writeBehind: { maxDelay: '1s', ...writeBehind } });
}

describe('a write that names a strategy', () => {
  test('is written that way, and the others by the policy', async () => {
    const rig = behind();
    rig.origin.gated = false;
    const through = rig.setBy('through', 'a', 'one');
    rig.set('b', 'one');
    expect(await through.told).toHaveProperty('written');
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual(['one', undefined]);
    await rig.setBy('around', 'c', 'one').told;
    expect(rig.rowText('c')).toBe('one');
    expect(rig.memory.peek(keySlice(Buffer.from('c')))).toBe(0);
    expect(rig.setBy('memory', 'd', 'one').outcome).toHaveProperty('written');
    rig.clock.advance(1000);
    await settle();
    expect([rig.rowText('b'), rig.rowText('d')]).toEqual(['one', undefined]);
  });

  test('waits until what was written behind has been flushed, which happens at once', async () => {
    const rig = behind();
    rig.set('b', 'other');
    rig.set('a', 'one');
    const through = rig.setBy('through', 'a', 'two');
    const flush = await rig.origin.called(1);
    expect(flush.keys).toContain('a');
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
    flush.open();
    (await rig.origin.called(2)).open();
    expect(await through.told).toHaveProperty('written');
    expect(rig.rowText('a')).toBe('two');
    expect(rig.get('a').outcome).toEqual({ value: 'two', from: 'memory' });
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('keeps its place among the writes of its key', async () => {
    const rig = behind();
    rig.origin.gated = false;
    const order: string[] = [];
    const told = (name: string, answer: { told: Promise<unknown> }) => answer.told.then(() => order.push(name));
    rig.set('a', '1');
    const all = [
      told('through', rig.setBy('through', 'a', '2')),
      told('behind', rig.set('a', '3')),
      told('delete', rig.delete('a')),
      told('around', rig.setBy('around', 'a', '4')),
    ];
    expect(rig.loader.statistics().pendingWrites).toBe(5);
    await Promise.all(all);
    expect(order).toEqual(['through', 'behind', 'delete', 'around']);
    expect(rig.rowText('a')).toBe('4');
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('that is sent again while it waits gets the same answer, and is carried out once', async () => {
    const rig = behind();
    rig.set('a', 'one');
    const request = { client: 7, number: 1, settledBelow: 0 };
    rig.memory.request = request;
    const first = rig.setBy('through', 'a', 'two');
    const again = rig.join(request);
    (await rig.origin.called(1)).open();
    (await rig.origin.called(2)).open();
    expect(await first.told).toEqual(await again!.told);
    await settle();
    expect(rig.origin.calls).toHaveLength(2);
    expect(rig.join(request)).toBeUndefined();
  });

  test('that waits too long is not applied', async () => {
    const rig = behind();
    rig.set('a', 'one');
    const late = rig.setBy('through', 'a', 'two', 50);
    const flush = await rig.origin.called(1);
    rig.clock.advance(50);
    expect(failure(late.outcome)).toBe('TIMEOUT not-applied');
    flush.open();
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
  });

  test('is refused while too many wait', async () => {
    const rig = new Rig({ read: 'through', write: 'behind', writes: { maxPending: 1 } });
    rig.set('a', 'one');
    rig.setBy('through', 'a', 'two');
    const refused = rig.setBy('through', 'a', 'three');
    expect(failure(refused.outcome)).toBe('BUSY not-applied');
    expect(message(refused.outcome)).toContain('writes.maxPending allows 1');
  });

  test('whose partition goes while it waits is not applied', async () => {
    const rig = behind();
    rig.set('a', 'one');
    const through = rig.setBy('through', 'a', 'two');
    const flush = await rig.origin.called(1);
    rig.memory.away.add(keySlice(Buffer.from('a')).partition);
    flush.open();
    expect(failure(await through.told)).toBe('NOT_OWNER not-applied');
  });

  test('is told when the loader closes', async () => {
    const rig = behind();
    rig.set('a', 'one');
    const through = rig.setBy('through', 'a', 'two');
    rig.loader.close();
    expect(failure(await through.told)).toBe('CLOSED not-applied');
    expect(failure(rig.setBy('around', 'b', 'one').outcome)).toBe('CLOSED not-applied');
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('that the cache cannot carry out is a bad argument', () => {
    const rig = new Rig({});
    expect(failure(rig.setBy('behind', 'a', 'one').outcome)).toBe('BAD_ARGUMENT not-applied');
    expect(message(rig.setBy('through', 'a', 'one').outcome)).toContain(
      "cache 'things' has no origin; allowed is 'memory'",
    );
    expect(rig.setBy('memory', 'a', 'one').outcome).toHaveProperty('written');
    expect(message(rig.set('a', 'one', 0, 1000, 9).outcome)).toContain('operation.write is 9; this node knows 0 to 4');
    expect(message(rig.delete('a', 1000, 2).outcome)).toContain('has no origin');
  });
});

describe('with whenFull: through, a write for which there is no room', () => {
  test('is written through, in the order of its key', async () => {
    const rig = behind({ maxPending: 1, flushSize: 1, whenFull: 'through' });
    rig.set('a', 'one');
    const spilled = rig.set('b', 'one');
    expect(spilled.isLater).toBe(true);
    (await rig.origin.called(1)).open();
    (await rig.origin.called(2)).open();
    expect(await spilled.told).toHaveProperty('written');
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual(['one', 'one']);
    expect(rig.loader.statistics()).toMatchObject({ spilledWrites: 1, pendingWrites: 0 });
  });

  test('of a key that is pending itself waits for its flush', async () => {
    const rig = behind({ maxPendingBytes: 1024, whenFull: 'through' });
    rig.origin.gated = false;
    rig.set('a', 'x'.repeat(900));
    const spilled = rig.set('a', 'y'.repeat(1_100));
    expect(await spilled.told).toHaveProperty('written');
    expect(rig.rowText('a')).toBe('y'.repeat(1_100));
    expect(rig.loader.statistics()).toMatchObject({ spilledWrites: 1, pendingWrites: 0 });
  });

  test('and a delete asks the origin whether there was a row', async () => {
    const rig = behind({ maxPending: 1, flushSize: 1, whenFull: 'through' });
    rig.origin.gated = false;
    await rig.row('b', 'one');
    rig.set('a', 'one');
    expect(await rig.delete('b').told).toEqual({ found: true });
    expect(rig.rowText('b')).toBeUndefined();
  });
});

describe('a policy that changes', () => {
  test('holds for what comes; what was written behind before is flushed all the same', async () => {
    const rig = behind({ maxDelay: '5s' });
    rig.origin.gated = false;
    rig.set('a', 'one');
    rig.set('b', 'one');
    rig.setPolicy({ read: 'through', write: 'through' });
    const written = rig.set('b', 'two');
    expect(written.isLater).toBe(true);
    await written.told;
    expect(rig.rowText('b')).toBe('two');
    rig.clock.advance(5_000);
    await settle();
    expect(rig.rowText('a')).toBe('one');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, rowsWritten: 3 });
  });

  test('changes delays, bounds and lives of what comes', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h', maxPending: 1, flushSize: 1 });
    rig.origin.gated = false;
    rig.setPolicy({
      read: 'through',
      write: 'behind',
      ttl: '5s',
      writeBehind: { maxDelay: '2s', maxPending: 2, flushSize: null },
    });
    rig.set('a', 'one');
    rig.set('b', 'one');
    expect(failure(rig.set('c', 'one').outcome)).toBe('BUSY not-applied');
    rig.clock.advance(2_000);
    await settle();
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual(['one', 'one']);
    rig.clock.advance(3_000);
    expect(rig.get('a').isLater).toBe(true);
  });

  test('to a shorter delay flushes what is due by it', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h' });
    rig.origin.gated = false;
    rig.set('a', 'one');
    rig.clock.advance(500);
    rig.setPolicy({ read: 'through', write: 'behind', writeBehind: { maxDelay: '1s' } });
    rig.clock.advance(500);
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });

  test('switches between read-through and cache-aside', async () => {
    const rig = behind();
    rig.origin.gated = false;
    await rig.row('a', 'one');
    rig.setPolicy({ read: 'aside', write: 'behind' });
    expect(rig.get('a')).toMatchObject({ outcome: 'miss', isLater: false });
    rig.setPolicy({ read: 'through', write: 'behind' });
    expect(await rig.get('a').told).toMatchObject({ value: 'one' });
  });

  test.each(['through', 'memory'] as const)(
    'brings what came dirty to the origin before a write %s of its key',
    async (mode) => {
      const rig = new Rig({ read: 'through', write: 'through' });
      const key = keySlice(Buffer.from('a'));
      rig.memory.put(key, Buffer.from('one'), 0, 3, 0, 1);
      const later = rig.setBy(mode, 'a', 'two');
      (await rig.origin.called(1)).open();
      await settle();
      expect(rig.rowText('a')).toBe('one');
      rig.origin.gated = false;
      rig.origin.calls[1]?.open();
      expect(await later.told).toHaveProperty('written');
      expect(rig.get('a').outcome).toEqual({ value: 'two', from: 'memory' });
    },
  );

  test('still flushes what came dirty with a partition', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    rig.origin.gated = false;
    const key = keySlice(Buffer.from('a'));
    rig.memory.put(key, Buffer.from('one'), 0, 3, 0, 1);
    rig.loader.adopt(key, rig.memory.peek(key));
    rig.clock.advance(1_000);
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });
});
