import { keySlice, LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { GatedOrigin } from '../../test/gated-origin.js';
import { failure, message, Rig, settle } from '../../test/rig.js';
import { EntryFlag, PutResult } from '../entry-memory.js';
import { MemoryOrigin } from '../origins/memory.js';
import type { WriteBehindPolicy } from '../policy.js';

function behind(writeBehind: WriteBehindPolicy = {}, origin?: GatedOrigin): Rig {
  return new Rig({ read: 'through', write: 'behind', writeBehind }, origin);
}

const poisoned = new Set<string>();
/** An origin that refuses the rows of the keys in `poisoned`. */
function pickyOrigin(): GatedOrigin {
  const origin = new GatedOrigin(new MemoryOrigin(({ key }) => (poisoned.has(key) ? `no ${key}, please` : undefined)));
  origin.gated = false;
  return origin;
}

function flagsOf(rig: Rig, key: string): number {
  const ref = rig.memory.peek(keySlice(Buffer.from(key)));
  return ref === 0 ? -1 : rig.memory.flags(ref);
}

describe('a write-behind set', () => {
  test('is answered within the call, read from memory, and in the origin after maxDelay', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    const answer = rig.set('a', 'one');
    expect(answer).toMatchObject({ isLater: false, outcome: { written: { seq: 1, copies: 1 } } });
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 1 });
    rig.clock.advance(999);
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    expect(rig.loader.statistics()).toMatchObject({ oldestPendingMs: 999 });
    rig.clock.advance(1);
    await settle();
    expect(rig.rowText('a')).toBe('one');
    expect(flagsOf(rig, 'a')).toBe(0);
    expect(rig.loader.statistics()).toMatchObject({
      pendingWrites: 0,
      oldestPendingMs: 0,
      rowsWritten: 1,
      writeStatements: 1,
    });
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('does not expire before it is in the origin', async () => {
    const rig = behind({ maxDelay: '10s' });
    rig.set('a', 'one', 1000);
    rig.clock.advance(5000);
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
    rig.clock.advance(5000);
    (await rig.origin.called(1)).open();
    await settle();
    expect(rig.get('a').isLater).toBe(true);
  });

  test('stops a load of its key from filling', async () => {
    const rig = behind();
    await rig.row('a', 'old');
    const early = rig.get('a');
    const load = await rig.origin.called(1);
    rig.set('a', 'new');
    load.open();
    expect(await early.told).toEqual({ value: 'new', from: 'memory' });
    expect(rig.get('a').outcome).toEqual({ value: 'new', from: 'memory' });
  });

  test('stops it also when the new value has been flushed and evicted before the load ends', async () => {
    const rig = behind({ maxDelay: '1s' });
    await rig.row('a', 'old');
    const early = rig.get('a');
    const load = await rig.origin.called(1);
    rig.set('a', 'new');
    rig.clock.advance(1000);
    (await rig.origin.called(2)).open();
    await settle();
    rig.memory.remove(keySlice(Buffer.from('a')));
    load.open();
    expect(await early.told).toEqual({ value: 'old', from: 'origin' });
    const late = rig.get('a');
    (await rig.origin.called(3)).open();
    expect(await late.told).toEqual({ value: 'new', from: 'memory' });
  });

  test('says what is wrong when it is not accepted', () => {
    const origin = new GatedOrigin();
    origin.check = (key) =>
      key === 'bad' ? new LarderError('BAD_ARGUMENT', 'bad key', { outcome: 'not-applied' }) : undefined;
    const rig = behind({}, origin);
    expect(failure(rig.set('bad', 'one').outcome)).toBe('BAD_ARGUMENT not-applied');
    expect(failure(rig.set(keySlice(Buffer.from([0xff])), 'one').outcome)).toBe('BAD_ARGUMENT not-applied');
    rig.memory.refusing = PutResult.full;
    expect(failure(rig.set('a', 'one').outcome)).toBe('OUT_OF_MEMORY not-applied');
    rig.memory.refusing = PutResult.tooLarge;
    expect(failure(rig.set('a', 'one').outcome)).toBe('TOO_LARGE not-applied');
    expect(rig.loader.statistics().pendingWrites).toBe(0);
    rig.loader.close();
    expect(failure(rig.set('a', 'one').outcome)).toBe('CLOSED not-applied');
  });
});

describe('a write-behind delete', () => {
  test('hides the row at once, also from loads, and reaches the origin in the flush', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    await rig.row('a', 'old');
    await rig.get('a').told;
    expect(rig.delete('a').outcome).toEqual({ found: true });
    expect(rig.delete('a').outcome).toEqual({ found: false });
    expect(rig.get('a')).toMatchObject({ outcome: 'miss', isLater: false });
    expect(rig.expire('a', 1000).outcome).toEqual({ found: false });
    rig.clock.advance(1000);
    await settle();
    expect(rig.rowText('a')).toBeUndefined();
    expect(flagsOf(rig, 'a')).toBe(-1);
  });

  test('of a key that memory does not have deletes the row all the same', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    await rig.row('a', 'old');
    expect(rig.delete('a').outcome).toEqual({ found: false });
    rig.clock.advance(1000);
    await settle();
    expect(rig.rowText('a')).toBeUndefined();
  });

  test('follows and precedes sets of its key in order', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    rig.set('a', 'one');
    rig.delete('a');
    rig.set('b', 'one');
    rig.delete('b');
    rig.set('b', 'two');
    rig.clock.advance(1000);
    await settle();
    expect([rig.rowText('a'), rig.rowText('b')]).toEqual([undefined, 'two']);
  });
});

describe('a flush', () => {
  test('is triggered by size without waiting for the time', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h', flushSize: 3 });
    rig.origin.gated = false;
    rig.set('a', '1');
    rig.set('b', '1');
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    rig.set('c', '1');
    await settle();
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']]);
  });

  test('is triggered by half of maxAge when time alone does not, so that a trickle never ends in BUSY', async () => {
    const rig = behind({ maxDelay: null, flushSize: 1000, maxAge: '10s' });
    rig.origin.gated = false;
    rig.set('a', '1');
    rig.clock.advance(4999);
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    rig.clock.advance(1);
    await settle();
    expect(rig.rowText('a')).toBe('1');
  });

  test('by time only lets any number gather', async () => {
    const rig = behind({ maxDelay: '1s', flushSize: null, maxBatch: 10_000 });
    rig.origin.gated = false;
    for (let key = 0; key < 5000; key++) rig.set(`${key}`, '1');
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    rig.clock.advance(1000);
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
  });
});

describe('a flush that is due', () => {
  test('takes the last of several writes to a key, and counts the others', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    for (let value = 0; value < 100; value++) rig.set('a', `${value}`);
    rig.clock.advance(1000);
    await settle();
    expect(rig.rowText('a')).toBe('99');
    expect(rig.loader.statistics()).toMatchObject({
      sets: 100,
      coalescedWrites: 99,
      rowsWritten: 1,
      writeStatements: 1,
    });
  });

  test('during which its key is written again leaves the key dirty, and is followed by another', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.set('a', 'one');
    rig.clock.advance(1000);
    const first = await rig.origin.called(1);
    rig.clock.advance(500);
    rig.set('a', 'two');
    first.open();
    await settle();
    expect(flagsOf(rig, 'a')).toBe(EntryFlag.dirty);
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 1, coalescedWrites: 0, oldestPendingMs: 0 });
    rig.clock.advance(1000);
    (await rig.origin.called(2)).open();
    await settle();
    expect([rig.rowText('a'), flagsOf(rig, 'a')]).toEqual(['two', 0]);
  });

  test('of a key is never under way twice', async () => {
    const rig = behind({ maxDelay: '1s', flushSize: 1, maxStatements: 4 });
    rig.set('a', 'one');
    const first = await rig.origin.called(1);
    rig.set('a', 'two');
    rig.set('b', 'one');
    expect((await rig.origin.called(2)).keys).toEqual(['b']);
    await settle();
    expect(rig.origin.calls).toHaveLength(2);
    first.open();
    expect((await rig.origin.called(3)).keys).toEqual(['a']);
  });

  test('has at most maxBatch rows a statement and maxStatements statements', async () => {
    const rig = behind({ maxDelay: '1s', maxBatch: 2, maxStatements: 2, flushSize: 5 });
    for (let key = 0; key < 5; key++) rig.set(`${key}`, '1');
    await settle();
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([
      ['0', '1'],
      ['2', '3'],
    ]);
    rig.origin.calls[0]?.open();
    expect((await rig.origin.called(3)).keys).toEqual(['4']);
  });

  test('does not copy more than 16 MiB of values at once', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    for (let key = 0; key < 5; key++) rig.set(`${key}`, 'x'.repeat(6 * 1024 * 1024));
    rig.clock.advance(1000);
    await settle();
    expect(rig.origin.calls.map(({ keys }) => keys.length)).toEqual([2, 2, 1]);
  });

  test('whose entry has gone from memory meanwhile, with its partition, forgets it', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.origin.gated = false;
    rig.set('a', 'one');
    rig.set('b', 'one');
    rig.memory.remove(keySlice(Buffer.from('a')));
    rig.clock.advance(1000);
    await settle();
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['b']]);
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });
});

describe('while the origin is down', () => {
  const DOWN = new Error('connection refused');

  test('nothing is dropped, flushes back off with ever smaller batches, and everything arrives afterwards', async () => {
    const rig = behind({ maxDelay: '1s', maxBatch: 8, maxStatements: 1, retryFirst: '100ms', retryMax: '1s' });
    for (let key = 0; key < 10; key++) rig.set(`${key}`, 'one');
    rig.clock.advance(1000);
    for (let attempt = 1; attempt <= 5; attempt++) {
      (await rig.origin.called(attempt)).fail(DOWN);
      await settle();
      expect(rig.origin.calls).toHaveLength(attempt);
      rig.clock.advance(1200);
    }
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 10, rowsWritten: 0, writeFailures: 16 });
    (await rig.origin.called(6)).open();
    rig.origin.gated = false;
    await settle();
    expect(rig.origin.calls.map(({ keys }) => keys.join(''))).toEqual([
      '01234567',
      '0123',
      '01',
      '0',
      '0',
      '0',
      '12',
      '3456',
      '789',
    ]);
    expect(rig.origin.rows.size).toBe(10);
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('delays grow from retryFirst to a second, so that writes follow soon after its return', async () => {
    const rig = behind({ maxDelay: '1s', retryFirst: '100ms', retryMax: '30s' });
    rig.set('a', 'one');
    rig.clock.advance(1000);
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 8; attempt++) {
      (await rig.origin.called(attempt)).fail(DOWN);
      await settle();
      const sinceMs = rig.clock.monotonicMs();
      while (rig.origin.calls.length === attempt) {
        rig.clock.advance(10);
        await new Promise((resolve) => setImmediate(resolve));
      }
      delays.push(rig.clock.monotonicMs() - sinceMs);
    }
    expect(delays[0]).toBeLessThanOrEqual(130);
    expect(delays.at(-1)).toBeGreaterThanOrEqual(800);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1210);
  });

  test('a flush that was applied although its answer was lost is repeated', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.set('a', 'one');
    rig.delete('b');
    rig.clock.advance(1000);
    (await rig.origin.called(1)).loseAnswer(DOWN);
    rig.origin.gated = false;
    (await rig.origin.called(2)).open();
    await settle();
    expect(rig.loader.statistics().pendingWrites).toBe(1);
    rig.clock.advance(1200);
    await settle();
    expect(rig.origin.calls.map(({ kind }) => kind)).toEqual(['write', 'delete', 'write']);
    expect(rig.rowText('a')).toBe('one');
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('a new value replaces the one that waits', async () => {
    const rig = behind({ maxDelay: '1s' });
    rig.set('a', 'one');
    rig.clock.advance(1000);
    const first = await rig.origin.called(1);
    rig.set('a', 'two');
    first.fail(DOWN);
    rig.origin.gated = false;
    await settle();
    rig.clock.advance(5000);
    await settle();
    expect(rig.rowText('a')).toBe('two');
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });
});

describe('pending writes', () => {
  test('are bounded by count, but a pending key may be written again', async () => {
    const rig = behind({ maxPending: 2, flushSize: 2 });
    rig.set('a', '1');
    rig.set('b', '1');
    const third = rig.set('c', '1').outcome;
    expect(failure(third)).toBe('BUSY not-applied');
    expect(message(third)).toContain("cache 'things': 2 writes are pending, writeBehind.maxPending allows no more");
    expect(failure(rig.delete('c').outcome)).toBe('BUSY not-applied');
    expect(rig.set('a', '2').outcome).toHaveProperty('written');
    expect(rig.delete('b').outcome).toEqual({ found: true });
    (await rig.origin.called(1)).open();
    (await rig.origin.called(2)).open();
    await settle();
    expect(rig.set('c', '1').outcome).toHaveProperty('written');
  });

  test('are bounded by bytes, but a value may become smaller', () => {
    const rig = behind({ maxPendingBytes: 1024 });
    rig.set('a', 'x'.repeat(900));
    expect(message(rig.set('b', 'x'.repeat(200)).outcome)).toContain(
      '901 bytes are pending, writeBehind.maxPendingBytes allows 1024',
    );
    expect(message(rig.set('a', 'x'.repeat(1100)).outcome)).toContain('writeBehind.maxPendingBytes');
    expect(rig.set('a', 'x'.repeat(10)).outcome).toHaveProperty('written');
    expect(rig.set('b', 'x'.repeat(1000)).outcome).toHaveProperty('written');
    expect(rig.set('a', '').outcome).toHaveProperty('written');
  });

  test('are bounded by age', async () => {
    const rig = behind({ maxDelay: '1s', maxAge: '10s', retryMax: '1s' });
    rig.set('a', '1');
    rig.clock.advance(1000);
    const call = await rig.origin.called(1);
    rig.clock.advance(9000);
    expect(rig.set('b', '1').outcome).toHaveProperty('written');
    rig.clock.advance(1);
    const refused = rig.set('c', '1').outcome;
    expect(failure(refused)).toBe('BUSY not-applied');
    expect(message(refused)).toContain('the oldest write is pending for 10001 ms, writeBehind.maxAge allows 10000');
    call.open();
    await settle();
    expect(rig.set('c', '1').outcome).toHaveProperty('written');
  });

  test('reach the origin by drain without waiting for a trigger', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h' });
    rig.origin.gated = false;
    for (let key = 0; key < 100; key++) rig.set(`${key}`, '1');
    expect(await rig.loader.drain(5000)).toBe(0);
    expect(rig.origin.rows.size).toBe(100);
    expect(await rig.loader.drain(5000)).toBe(0);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('that do not reach it by the deadline of drain are counted', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h' });
    rig.set('a', '1');
    rig.set('b', '1');
    const drained = rig.loader.drain(500);
    await rig.origin.called(1);
    rig.clock.advance(500);
    expect(await drained).toBe(2);
  });

  test('that come during a drain are not waited for', async () => {
    const rig = behind({ maxDelay: '1h', maxAge: '2h', maxStatements: 1 });
    rig.set('a', '1');
    const drained = rig.loader.drain(5000);
    const call = await rig.origin.called(1);
    rig.set('a', '2');
    rig.set('b', '1');
    call.open();
    expect(await drained).toBe(0);
    expect(rig.loader.statistics().pendingWrites).toBe(2);
  });
});

describe('a row that the origin refuses', () => {
  test('does not hold up the others of its batch', async () => {
    const rig = behind({ maxDelay: '1s' }, pickyOrigin());
    poisoned.add('37');
    for (let key = 0; key < 100; key++) rig.set(`${key}`, '1');
    rig.clock.advance(1000);
    await settle();
    expect(rig.origin.rows.size).toBe(99);
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 1, refusedRows: 1, writeFailures: 1 });
    expect(rig.get('37').outcome).toEqual({ value: '1', from: 'memory' });
  });

  test('is tried again alone, with delays of its own, and is not dropped', async () => {
    const rig = behind({ maxDelay: '1s', retryFirst: '100ms', retryMax: '30s', deadLetterAfter: null }, pickyOrigin());
    poisoned.add('37');
    rig.set('37', '1');
    rig.clock.advance(1000);
    await settle();
    for (let second = 0; second < 300; second++) {
      rig.clock.advance(1000);
      await settle();
    }
    const attempts = rig.origin.calls.length;
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(30);
    poisoned.delete('37');
    rig.clock.advance(40_000);
    await settle();
    expect(rig.rowText('37')).toBe('1');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, refusedRows: 0 });
  });

  test('takes turns with the others where there is one statement for both', async () => {
    const rig = behind(
      { maxDelay: '1s', maxBatch: 1, maxStatements: 1, retryFirst: '1s', retryMax: '1s' },
      pickyOrigin(),
    );
    for (const key of ['p', 'q', 'r']) {
      poisoned.add(key);
      rig.set(key, '1');
    }
    rig.clock.advance(1000);
    await settle();
    for (const key of ['a', 'b', 'c']) rig.set(key, '1');
    rig.origin.calls.length = 0;
    rig.clock.advance(2000);
    await settle();
    const order = rig.origin.calls.map(({ keys }) => keys[0]);
    expect(order.slice(0, 6).map((key) => (poisoned.has(key as string) ? 'refused' : 'other'))).toEqual([
      'refused',
      'other',
      'refused',
      'other',
      'refused',
      'other',
    ]);
    poisoned.clear();
  });

  test('does not count for the bound of the age', async () => {
    const rig = behind({ maxDelay: '1s', maxAge: '10s' }, pickyOrigin());
    poisoned.add('37');
    rig.set('37', '1');
    for (let second = 0; second < 60; second++) {
      rig.clock.advance(1000);
      await settle();
    }
    expect(rig.loader.statistics().oldestPendingMs).toBe(60_000);
    expect(rig.set('a', '1').outcome).toHaveProperty('written');
  });

  test('goes with the others again when it has got a new value', async () => {
    const rig = behind({ maxDelay: '1s', retryFirst: '1h', retryMax: '1h' }, pickyOrigin());
    poisoned.add('37');
    rig.set('37', '1');
    rig.clock.advance(1000);
    await settle();
    poisoned.delete('37');
    rig.set('37', '2');
    rig.set('38', '1');
    rig.clock.advance(1000);
    await settle();
    expect(rig.origin.calls.at(-1)?.keys).toEqual(['37', '38']);
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, refusedRows: 0 });
  });

  test('is tried once by drain, which then tells that it remains', async () => {
    const rig = behind({ maxDelay: '1s', retryFirst: '1h', retryMax: '1h' }, pickyOrigin());
    poisoned.add('37');
    rig.set('37', '1');
    rig.set('38', '1');
    expect(await rig.loader.drain(5000)).toBe(1);
    expect(await rig.loader.drain(5000)).toBe(1);
    poisoned.delete('37');
    expect(await rig.loader.drain(5000)).toBe(0);
    expect(rig.rowText('37')).toBe('1');
  });

  test('that meets an origin that is down stays apart from the others', async () => {
    const rig = behind({ maxDelay: '1s', retryFirst: '1s', retryMax: '1s' }, pickyOrigin());
    poisoned.add('37');
    rig.set('37', '1');
    rig.clock.advance(1000);
    await settle();
    rig.origin.gated = true;
    rig.clock.advance(3000);
    (await rig.origin.called(2)).fail(new Error('connection refused'));
    await settle();
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 1, refusedRows: 1 });
    poisoned.delete('37');
    rig.origin.gated = false;
    for (let second = 0; second < 5; second++) {
      rig.clock.advance(1000);
      await settle();
    }
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, refusedRows: 0 });
  });
});

describe('in a cluster', () => {
  const POLICY = { write: 'behind', writeBehind: { maxDelay: 10 } } as const;

  test('what the other copies do not have yet is not flushed', async () => {
    const rig = new Rig(POLICY);
    rig.memory.committedSeq = 0;
    rig.set('a', 'one');
    rig.clock.advance(10);
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    rig.memory.committedSeq = 1;
    rig.clock.advance(10);
    (await rig.origin.called(1)).open();
    await settle();
    expect(rig.rowText('a')).toBe('one');
  });

  test('a partition that went away is the new owner to flush', async () => {
    const rig = new Rig(POLICY);
    rig.set('a', 'one');
    rig.memory.away.add(keySlice(Buffer.from('a')).partition);
    rig.clock.advance(10);
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('a partition is not handed over while a statement with a row of it is under way', async () => {
    const rig = new Rig(POLICY);
    rig.set('a', 'one');
    rig.clock.advance(10);
    const call = await rig.origin.called(1);
    expect(rig.memory.heldCount).toBe(1);
    call.fail(new Error('connection reset'));
    await settle();
    expect(rig.memory.heldCount).toBe(0);
  });

  test('a delete that waits behind the sets of its batch is not sent once its partition has gone', async () => {
    const rig = new Rig(POLICY);
    await rig.row('b', 'the new owner wrote this');
    rig.set('a', 'one');
    rig.delete('b');
    rig.clock.advance(10);
    const sets = await rig.origin.called(1);
    rig.memory.away.add(keySlice(Buffer.from('b')).partition);
    sets.open();
    await settle();
    rig.clock.advance(1_000);
    await settle();
    expect(rig.origin.calls.map(({ kind }) => kind)).toEqual(['write']);
    expect(rig.rowText('b')).toBe('the new owner wrote this');
    expect(rig.rowText('a')).toBe('one');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, writeFailures: 0 });
  });

  test('the rest of a batch with a refused row is not sent once its partition has gone', async () => {
    const rig = behind({ maxDelay: 10 }, pickyOrigin());
    rig.origin.gated = true;
    poisoned.add('a');
    rig.set('a', 'one');
    rig.set('b', 'old');
    rig.clock.advance(10);
    const batch = await rig.origin.called(1);
    rig.memory.away.add(keySlice(Buffer.from('b')).partition);
    batch.open();
    (await rig.origin.called(2)).open();
    await settle();
    rig.clock.advance(50);
    await settle();
    poisoned.delete('a');
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['a']]);
  });

  test('a dirty entry that came with a partition is flushed, once', async () => {
    const rig = new Rig(POLICY);
    const key = keySlice(Buffer.from('a'));
    rig.memory.put(key, Buffer.from('one'), 0, 3, 0, EntryFlag.dirty);
    rig.loader.adopt(key, rig.memory.peek(key));
    rig.loader.adopt(key, rig.memory.peek(key));
    rig.clock.advance(10);
    (await rig.origin.called(1)).open();
    await settle();
    expect(rig.rowText('a')).toBe('one');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, rowsWritten: 1, coalescedWrites: 0 });
  });
});
