import { keySlice, LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { failure, message, Rig, settle } from '../../test/rig.js';

describe('a miss', () => {
  test('is loaded, stored and answered, and the next get is a hit', async () => {
    const rig = new Rig({ read: 'through', ttl: '1s' });
    await rig.row('a', 'one');
    const answer = rig.get('a');
    (await rig.origin.called(1)).open();
    expect(await answer.told).toEqual({ value: 'one', from: 'memory' });
    expect(rig.get('a').outcome).toEqual({ value: 'one', from: 'memory' });
    rig.clock.advance(1000);
    expect(rig.get('a').isLater).toBe(true);
  });

  test('of many callers is one load', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('a', 'one');
    const answers = Array.from({ length: 10_000 }, () => rig.get('a'));
    (await rig.origin.called(1)).open();
    await settle();
    for (const answer of answers) expect(answer.outcome).toEqual({ value: 'one', from: 'memory' });
    expect(rig.origin.calls).toHaveLength(1);
    expect(rig.loader.statistics()).toMatchObject({
      misses: 10_000,
      loads: 1,
      loadsFound: 1,
      coalescedWaiters: 9999,
      readStatements: 1,
    });
  });

  test('joins the load of its key that is under way', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('a', 'one');
    const first = rig.get('a');
    const call = await rig.origin.called(1);
    const second = rig.get('a');
    await settle();
    call.open();
    expect(await first.told).toEqual(await second.told);
    expect(rig.origin.calls).toHaveLength(1);
  });

  test('of a row that does not exist is remembered for negativeTtl', async () => {
    const rig = new Rig({ read: 'through', negativeTtl: '2s' });
    rig.origin.gated = false;
    expect(await rig.get('a').told).toBe('miss');
    const known = rig.get('a');
    expect(known).toMatchObject({ outcome: 'miss', isLater: false });
    expect(rig.expire('a', 5000).outcome).toEqual({ found: false });
    expect(rig.loader.statistics()).toMatchObject({ hits: 1, misses: 1 });
    rig.clock.advance(2000);
    await rig.row('a', 'late');
    expect(await rig.get('a').told).toEqual({ value: 'late', from: 'memory' });
  });

  test('is asked every time with negativeTtl 0', async () => {
    const rig = new Rig({ read: 'through', negativeTtl: 0 });
    rig.origin.gated = false;
    await rig.get('a').told;
    await rig.get('a').told;
    expect(rig.origin.calls).toHaveLength(2);
  });

  test('whose key is not UTF-8 has no row, and the origin is not asked', () => {
    const rig = new Rig({ read: 'through' });
    expect(rig.get(keySlice(Buffer.from([0xff]))).outcome).toBe('miss');
    expect(rig.origin.calls).toHaveLength(0);
  });

  test('is answered although the memory has no room for the value', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('a', 'one');
    rig.memory.refusing = 3;
    const answer = rig.get('a');
    (await rig.origin.called(1)).open();
    expect(await answer.told).toEqual({ value: 'one', from: 'origin' });
  });
});

describe('misses of one turn', () => {
  test('go in one statement, at most maxBatch keys each', async () => {
    const rig = new Rig({ read: 'through', loads: { maxBatch: 3 } });
    rig.origin.gated = false;
    const answers = Array.from({ length: 7 }, (_, key) => rig.get(`${key}`));
    await Promise.all(answers.map((answer) => answer.told));
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6']]);
  });

  test('gather for a moment while a statement is in flight, and leave together', async () => {
    const rig = new Rig({ read: 'through' });
    rig.get('a');
    await rig.origin.called(1);
    rig.get('b');
    await settle();
    rig.get('c');
    await settle();
    expect(rig.origin.calls).toHaveLength(1);
    rig.clock.advance(1);
    expect((await rig.origin.called(2)).keys).toEqual(['b', 'c']);
  });

  test('leave at once when the statement in flight ends', async () => {
    const rig = new Rig({ read: 'through' });
    rig.get('a');
    const call = await rig.origin.called(1);
    rig.get('b');
    await settle();
    call.open();
    expect((await rig.origin.called(2)).keys).toEqual(['b']);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('leave at once when there are many of them', async () => {
    const rig = new Rig({ read: 'through' });
    rig.get('a');
    const call = await rig.origin.called(1);
    call.open();
    await settle();
    rig.get('b');
    await rig.origin.called(2);
    for (let key = 0; key < 256; key++) rig.get(`${key}`);
    expect((await rig.origin.called(3)).keys.length).toBeGreaterThan(10);
  });

  test('gather while maxStatements are in flight, and leave together when one ends', async () => {
    const rig = new Rig({ read: 'through', loads: { maxStatements: 2 } });
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      rig.get(key);
      await settle();
      rig.clock.advance(1);
    }
    expect(rig.origin.calls.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
    rig.origin.calls[0]?.open();
    rig.clock.advance(1);
    expect((await rig.origin.called(3)).keys).toEqual(['c', 'd', 'e']);
  });

  test('are fewer to a statement when values are large', async () => {
    const rig = new Rig({ read: 'through', loads: { maxStatements: 1 } });
    rig.origin.gated = false;
    for (let key = 0; key < 24; key++) await rig.row(`${key}`, 'x'.repeat(4 * 1024 * 1024));
    await Promise.all(Array.from({ length: 24 }, (_, key) => rig.get(`${key}`).told));
    expect(rig.origin.calls.map(({ keys }) => keys.length)).toEqual([16, 4, 4]);
  });
});

describe('a load that has been overtaken', () => {
  test('by a set does not bring the old value back', async () => {
    const rig = new Rig({ read: 'through', write: 'memory' });
    await rig.row('a', 'old');
    const early = rig.get('a');
    const call = await rig.origin.called(1);
    rig.set('a', 'new');
    expect(rig.get('a').outcome).toEqual({ value: 'new', from: 'memory' });
    call.open();
    expect(await early.told).toEqual({ value: 'new', from: 'memory' });
    expect(rig.get('a').outcome).toEqual({ value: 'new', from: 'memory' });
  });

  test('by a delete answers those who came before it and nobody else', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    await rig.row('a', 'old');
    const early = rig.get('a');
    const load = await rig.origin.called(1);
    const deleted = rig.delete('a');
    (await rig.origin.called(2)).open();
    expect(await deleted.told).toEqual({ found: true });
    const late = rig.get('a');
    load.open();
    expect(await early.told).toEqual({ value: 'old', from: 'origin' });
    (await rig.origin.called(3)).open();
    expect(await late.told).toBe('miss');
    expect(rig.get('a').outcome).toBe('miss');
  });

  test('by a set before it was sent is not sent', async () => {
    const rig = new Rig({ read: 'through', write: 'memory' });
    const early = rig.get('a');
    rig.set('a', 'new');
    expect(await early.told).toEqual({ value: 'new', from: 'memory' });
    await settle();
    expect(rig.origin.calls).toHaveLength(0);
  });
});

describe('a load that fails', () => {
  test('fails for everyone who waits, is not remembered, and counts', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('a', 'one');
    const answers = [rig.get('a'), rig.get('a')];
    (await rig.origin.called(1)).fail(new Error('connection refused'));
    for (const answer of answers) expect(failure(await answer.told)).toBe('ORIGIN_UNAVAILABLE');
    expect(rig.loader.statistics()).toMatchObject({ loads: 1, loadFailures: 1, loadsFound: 0 });
    const again = rig.get('a');
    (await rig.origin.called(2)).open();
    expect(await again.told).toEqual({ value: 'one', from: 'memory' });
  });

  test('for one row answers the others of its statement', async () => {
    const rig = new Rig({ read: 'through' });
    await rig.row('good', 'one');
    const [good, bad] = [rig.get('good'), rig.get('bad')];
    const refusal = new LarderError('ORIGIN', 'division by zero');
    (await rig.origin.called(1)).fail(refusal);
    (await rig.origin.called(2)).open();
    (await rig.origin.called(3)).fail(refusal);
    expect(await good.told).toEqual({ value: 'one', from: 'memory' });
    expect(failure(await bad.told)).toBe('ORIGIN');
  });
});

describe('waiting', () => {
  test('is bounded: BUSY names the bound', async () => {
    const rig = new Rig({ read: 'through', loads: { maxWaiting: 2 } });
    const answers = [rig.get('a'), rig.get('a'), rig.get('b')];
    expect(failure(answers[2]?.outcome)).toBe('BUSY');
    expect(message(answers[2]?.outcome)).toContain(
      "cache 'things': 2 gets wait for the origin, loads.maxWaiting allows no more",
    );
    (await rig.origin.called(1)).open();
    await answers[0]?.told;
    expect(rig.get('b').isLater).toBe(true);
  });

  test('ends with TIMEOUT, unsent, when nobody waits any more', async () => {
    const rig = new Rig({ read: 'through', loads: { maxStatements: 1 } });
    rig.get('blocking');
    const call = await rig.origin.called(1);
    const hasty = [rig.get('a', 100), rig.get('a', 200)];
    const patient = rig.get('b', 5000);
    rig.clock.advance(300);
    call.open();
    expect((await rig.origin.called(2)).keys).toEqual(['b']);
    for (const answer of hasty) expect(failure(await answer.told)).toBe('TIMEOUT');
    rig.origin.calls[1]?.open();
    expect(await patient.told).toBe('miss');
  });

  test('goes on as long as one of the callers waits', async () => {
    const rig = new Rig({ read: 'through', loads: { maxStatements: 1 } });
    rig.get('blocking');
    const call = await rig.origin.called(1);
    const hasty = rig.get('a', 100);
    rig.get('a', 5000);
    rig.clock.advance(300);
    call.open();
    (await rig.origin.called(2)).open();
    expect(await hasty.told).toBe('miss');
  });

  test('ends with CLOSED when the loader is closed; what is in flight is answered', async () => {
    const rig = new Rig({ read: 'through', loads: { maxStatements: 1 } });
    const sent = rig.get('a');
    const call = await rig.origin.called(1);
    const unsent = rig.get('b');
    rig.loader.close();
    expect(failure(unsent.outcome)).toBe('CLOSED');
    expect(failure(rig.get('c').outcome)).toBe('CLOSED');
    call.open();
    expect(await sent.told).toBe('miss');
  });
});
