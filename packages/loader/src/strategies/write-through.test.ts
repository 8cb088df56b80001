import { keySlice, LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { GatedOrigin } from '../../test/gated-origin.js';
import { failure, message, Rig, settle } from '../../test/rig.js';
import { PutResult } from '../entry-memory.js';
import { MemoryOrigin } from '../origins/memory.js';

/** An origin that refuses every row whose value is 'poison'. */
function pickyOrigin(): GatedOrigin {
  return new GatedOrigin(
    new MemoryOrigin(({ value }) => (Buffer.from(value).toString() === 'poison' ? 'no poison, please' : undefined)),
  );
}

describe('a set', () => {
  test('is in the origin and in memory when it is answered, and not in memory before', async () => {
    const rig = new Rig({ write: 'through' });
    const answer = rig.set('a', 'one');
    const call = await rig.origin.called(1);
    expect(rig.memory.peek(keySlice(Buffer.from('a')))).toBe(0);
    call.open();
    expect(await answer.told).toEqual({ written: { seq: 1, copies: 1 } });
    expect(rig.rowText('a')).toBe('one');
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
  });

  test('is stored although its partition is not served for a moment, or an old value would come back', async () => {
    const rig = new Rig({ write: 'through' });
    const first = rig.set('a', 'one');
    (await rig.origin.called(1)).open();
    await first.told;
    const second = rig.set('a', 'two');
    const call = await rig.origin.called(2);
    const { partition } = keySlice(Buffer.from('a'));
    rig.memory.paused.add(partition);
    call.open();
    await second.told;
    rig.memory.paused.delete(partition);
    expect(rig.get('a').outcome).toEqual({ value: 'two', from: 'memory' });
  });

  test('that the origin refuses leaves the memory as it was', async () => {
    const rig = new Rig({ write: 'through' }, pickyOrigin());
    rig.origin.gated = false;
    await rig.set('a', 'one').told;
    const refused = await rig.set('a', 'poison').told;
    expect(failure(refused)).toBe('ORIGIN not-applied');
    expect(message(refused)).toContain('no poison, please');
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
    expect(rig.loader.statistics()).toMatchObject({ rowsWritten: 1, writeFailures: 1, pendingWrites: 0 });
  });

  test('whose outcome is unknown makes the memory forget, and loads answer without storing for a while', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    const first = rig.set('a', 'one');
    (await rig.origin.called(1)).open();
    await first.told;
    const second = rig.set('a', 'two');
    (await rig.origin.called(2)).fail(new Error('connection reset'));
    expect(failure(await second.told)).toBe('ORIGIN_UNAVAILABLE unknown');
    rig.origin.gated = false;
    expect(await rig.get('a').told).toEqual({ value: 'one', from: 'origin' });
    // The statement commits at last, although its connection is gone.
    await rig.row('a', 'two');
    expect(await rig.get('a').told).toEqual({ value: 'two', from: 'origin' });
    rig.clock.advance(rig.origin.callMsMax);
    expect(await rig.get('a').told).toEqual({ value: 'two', from: 'memory' });
  });

  test('that could not be sent at all leaves the memory as it was', async () => {
    const rig = new Rig({ write: 'through' });
    const first = rig.set('a', 'one');
    (await rig.origin.called(1)).open();
    await first.told;
    const second = rig.set('a', 'two');
    (await rig.origin.called(2)).fail(
      new LarderError('ORIGIN_UNAVAILABLE', 'no connection', { outcome: 'not-applied' }),
    );
    expect(failure(await second.told)).toBe('ORIGIN_UNAVAILABLE not-applied');
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
  });

  test('for which the memory has no room is in the origin only, and the older value is forgotten', async () => {
    const rig = new Rig({ write: 'through' });
    rig.origin.gated = false;
    await rig.set('a', 'one').told;
    rig.memory.refusing = PutResult.full;
    expect(await rig.set('a', 'two').told).toEqual({ written: { seq: 0, copies: 0 } });
    expect(rig.memory.peek(keySlice(Buffer.from('a')))).toBe(0);
    expect(rig.rowText('a')).toBe('two');
  });

  test('that the origin can refuse by looking at it is answered at once', () => {
    const origin = new GatedOrigin();
    origin.check = (key) =>
      key === 'bad' ? new LarderError('BAD_ARGUMENT', 'bad key', { outcome: 'not-applied' }) : undefined;
    const rig = new Rig({ write: 'through' }, origin);
    expect(failure(rig.set('bad', 'one').outcome)).toBe('BAD_ARGUMENT not-applied');
    expect(failure(rig.set(keySlice(Buffer.from([0xff])), 'one').outcome)).toBe('BAD_ARGUMENT not-applied');
    expect(rig.origin.calls).toHaveLength(0);
  });
});

describe('a delete', () => {
  test('removes the row, then the entry, and tells whether there was a row', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    rig.origin.gated = false;
    await rig.set('a', 'one').told;
    expect(await rig.delete('a').told).toEqual({ found: true });
    expect(rig.rowText('a')).toBeUndefined();
    expect(await rig.get('a').told).toBe('miss');
    expect(await rig.delete('a').told).toEqual({ found: false });
    expect(rig.loader.statistics().rowsWritten).toBe(2);
  });
});

describe('concurrent writes', () => {
  test('to different keys share a statement', async () => {
    const rig = new Rig({ write: 'through', writes: { maxBatch: 3 } });
    rig.origin.gated = false;
    const answers = Array.from({ length: 5 }, (_, key) => rig.set(`${key}`, 'one'));
    await Promise.all(answers.map((answer) => answer.told));
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([
      ['0', '1', '2'],
      ['3', '4'],
    ]);
  });

  test('of large values share a statement up to 16 MiB', async () => {
    const rig = new Rig({ write: 'through' });
    rig.origin.gated = false;
    const large = 'v'.repeat(6 * 1024 * 1024);
    const answers = Array.from({ length: 5 }, (_, key) => rig.set(`${key}`, large));
    await Promise.all(answers.map((answer) => answer.told));
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['0', '1'], ['2', '3'], ['4']]);
  });

  test('to one key follow each other, and none is left out', async () => {
    const rig = new Rig({ write: 'through' });
    rig.origin.gated = false;
    const answers = [rig.set('a', '1'), rig.set('a', '2'), rig.delete('a'), rig.set('a', '3'), rig.set('b', '1')];
    await Promise.all(answers.map((answer) => answer.told));
    const calls = rig.origin.calls.filter(({ keys }) => keys.includes('a')).map(({ kind }) => kind);
    expect(calls).toEqual(['write', 'write', 'delete', 'write']);
    expect(rig.rowText('a')).toBe('3');
    expect(rig.get('a').outcome).toEqual({ value: '3', from: 'memory' });
  });

  test('gather while maxStatements are in flight', async () => {
    const rig = new Rig({ write: 'through', writes: { maxStatements: 1 } });
    rig.set('a', '1');
    const call = await rig.origin.called(1);
    rig.set('b', '1');
    rig.set('c', '1');
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
    call.open();
    expect((await rig.origin.called(2)).keys).toEqual(['b', 'c']);
  });

  test('with a poison row among them: only its caller gets the error', async () => {
    const rig = new Rig({ write: 'through' }, pickyOrigin());
    rig.origin.gated = false;
    const answers = Array.from({ length: 100 }, (_, key) => rig.set(`${key}`, key === 37 ? 'poison' : 'fine'));
    const outcomes = await Promise.all(answers.map((answer) => answer.told));
    const failed = outcomes.flatMap((outcome, key) =>
      typeof outcome === 'object' && 'failed' in outcome ? [key] : [],
    );
    expect(failed).toEqual([37]);
    expect(rig.origin.rows.size).toBe(99);
    expect(rig.origin.calls.length).toBeLessThan(20);
  });
});

describe('waiting', () => {
  test('is bounded by count and by bytes: BUSY names the bound', async () => {
    const rig = new Rig({ write: 'through', writes: { maxPending: 2, maxPendingBytes: 1024 } });
    const first = rig.set('a', 'x'.repeat(1000));
    expect(message(rig.set('b', 'x'.repeat(100)).outcome)).toContain(
      '1001 bytes wait for the origin, writes.maxPendingBytes allows 1024',
    );
    rig.set('b', 'x');
    const third = rig.set('c', 'x').outcome;
    expect(failure(third)).toBe('BUSY not-applied');
    expect(message(third)).toContain('2 writes wait for the origin, writes.maxPending allows no more');
    expect(rig.loader.statistics().pendingWrites).toBe(2);
    (await rig.origin.called(1)).open();
    await first.told;
    expect(rig.set('c', 'x').isLater).toBe(true);
  });

  test('ends with TIMEOUT, unsent, when the caller does not wait any more', async () => {
    const rig = new Rig({ write: 'through', writes: { maxStatements: 1 } });
    rig.set('blocking', '1');
    const call = await rig.origin.called(1);
    const hasty = rig.set('a', '1', 0, 100);
    const next = rig.set('a', '2', 0, 5000);
    rig.clock.advance(200);
    expect(rig.loader.statistics().oldestPendingMs).toBe(200);
    call.open();
    (await rig.origin.called(2)).open();
    expect(failure(await hasty.told)).toBe('TIMEOUT not-applied');
    await next.told;
    expect(rig.rowText('a')).toBe('2');
    expect(rig.loader.statistics()).toMatchObject({ pendingWrites: 0, oldestPendingMs: 0 });
  });

  test('ends with CLOSED when the loader is closed, in chains too; what is in flight is answered', async () => {
    const rig = new Rig({ write: 'through' });
    const answers = [rig.set('a', '1'), rig.set('a', '2'), rig.delete('a'), rig.set('a', '3')];
    const call = await rig.origin.called(1);
    const ready = rig.set('b', '1');
    rig.loader.close();
    expect(failure(ready.outcome)).toBe('CLOSED not-applied');
    call.open();
    const outcomes = await Promise.all(answers.map((answer) => answer.told));
    expect(outcomes[0]).toEqual({ written: { seq: 1, copies: 1 } });
    expect(outcomes.slice(1).map(failure)).toEqual(Array.from({ length: 3 }, () => 'CLOSED not-applied'));
    expect(failure(rig.set('c', '1').outcome)).toBe('CLOSED not-applied');
    expect(rig.origin.calls).toHaveLength(1);
  });

  test('is over when drain resolves, or the number that still waits is told', async () => {
    const rig = new Rig({ write: 'through' });
    rig.set('a', '1');
    const early = rig.loader.drain(100);
    rig.clock.advance(100);
    expect(await early).toBe(1);
    const late = rig.loader.drain(1000);
    (await rig.origin.called(1)).open();
    expect(await late).toBe(0);
    expect(rig.clock.pendingCount).toBe(0);
    expect(await rig.loader.drain(1000)).toBe(0);
  });
});

describe('in a cluster', () => {
  test('the statement waits until the other copies have forgotten the key', async () => {
    const rig = new Rig({ write: 'through', read: 'through' });
    rig.memory.holding = true;
    const answer = rig.set('a', 'one');
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
    rig.memory.holds[0]?.held();
    (await rig.origin.called(1)).open();
    expect(await answer.told).toMatchObject({ written: { copies: 1 } });
    expect(rig.memory.heldCount).toBe(0);
  });

  test('a partition that goes away before that is a write that was not applied', async () => {
    const rig = new Rig({ write: 'through', read: 'through' });
    rig.memory.holding = true;
    const answer = rig.set('a', 'one');
    rig.memory.holds[0]?.holdLost(rig.memory.refusal(1));
    expect(failure(await answer.told)).toBe('NOT_OWNER not-applied');
    expect(rig.origin.calls).toHaveLength(0);
    expect(rig.memory.heldCount).toBe(0);
  });

  test('a write that waits behind a statement is not sent once its partition has gone', async () => {
    const rig = new Rig({ write: 'through', writes: { maxStatements: 1 } });
    rig.set('a', 'one');
    const first = await rig.origin.called(1);
    const second = rig.set('b', 'one');
    await settle();
    rig.memory.away.add(keySlice(Buffer.from('b')).partition);
    first.open();
    expect(failure(await second.told)).toBe('NOT_OWNER not-applied');
    expect(rig.origin.calls).toHaveLength(1);
  });

  test('all writes that wait for one key fail when its partition goes, however many they are', async () => {
    const rig = new Rig({ write: 'through' });
    const first = rig.set('a', 'one');
    const call = await rig.origin.called(1);
    const waiting = Array.from({ length: 10_000 }, () => rig.set('a', 'two'));
    rig.memory.away.add(keySlice(Buffer.from('a')).partition);
    call.open();
    await first.told;
    await settle();
    expect(waiting.every(({ outcome }) => outcome !== undefined && failure(outcome) === 'NOT_OWNER not-applied')).toBe(
      true,
    );
    expect(rig.loader.statistics().pendingWrites).toBe(0);
  });

  test('a write that was begun is sent although its partition is about to be handed over', async () => {
    const rig = new Rig({ write: 'through' });
    rig.memory.holding = true;
    const answer = rig.set('a', 'one');
    rig.memory.paused.add(keySlice(Buffer.from('a')).partition);
    rig.memory.holds[0]?.held();
    (await rig.origin.called(1)).open();
    expect(await answer.told).toMatchObject({ written: { copies: 1 } });
  });

  test('what the origin refused, the other copies get again', async () => {
    const rig = new Rig({ write: 'through', read: 'through' });
    const answer = rig.set('a', 'one');
    (await rig.origin.called(1)).fail(new LarderError('ORIGIN', 'no', { outcome: 'not-applied' }));
    expect(failure(await answer.told)).toBe('ORIGIN not-applied');
    expect(rig.memory.restored).toBe(1);
  });

  test('what is loaded while the statement is under way is answered and not kept', async () => {
    const rig = new Rig({ write: 'through', read: 'through' });
    await rig.row('a', 'old');
    rig.set('a', 'new');
    await rig.origin.called(1);
    const reader = rig.get('a');
    (await rig.origin.called(2)).open();
    expect(await reader.told).toEqual({ value: 'old', from: 'origin' });
  });
});
