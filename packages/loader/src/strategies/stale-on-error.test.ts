import { LarderError } from '@larder/proto';
import { describe, expect, test } from 'vitest';
import { failure, Rig, settle } from '../../test/rig.js';

const AWAY = new LarderError('ORIGIN_UNAVAILABLE', 'the database is down');
const STALE = { value: 'one', from: 'stale' };

/** Row `a` was loaded and its life of a second is over. */
async function expired(policy: object = {}): Promise<Rig> {
  const rig = new Rig({ read: 'through', ttl: '1s', staleFor: '10s', ...policy });
  await rig.row('a', 'one');
  const answer = rig.get('a');
  (await rig.origin.called(1)).open();
  await answer.told;
  rig.clock.advance(1000);
  return rig;
}

describe('an entry whose life is over', () => {
  test('is loaded again as if it were not there', async () => {
    const rig = await expired();
    await rig.row('a', 'two');
    const answer = rig.get('a');
    (await rig.origin.called(2)).open();
    expect(await answer.told).toEqual({ value: 'two', from: 'memory' });
    expect(rig.lifeMs('a')).toBe(1000);
    expect(rig.loader.statistics()).toMatchObject({ hits: 0, misses: 2, missesExpired: 1, staleServed: 0 });
  });

  test('is served, marked as stale, to all who wait while the database is away', async () => {
    const rig = await expired();
    const answers = [rig.get('a'), rig.get('a')];
    (await rig.origin.called(2)).fail(AWAY);
    for (const answer of answers) expect(await answer.told).toEqual(STALE);
    expect(rig.lifeMs('a')).toBe(0);
    expect(rig.loader.statistics()).toMatchObject({ staleServed: 2, loadFailures: 1 });
  });

  test('is served for staleFor only', async () => {
    const rig = await expired();
    rig.clock.advance(10_000);
    const answer = rig.get('a');
    (await rig.origin.called(2)).fail(AWAY);
    expect(failure(await answer.told)).toBe('ORIGIN_UNAVAILABLE');
  });

  test('is no excuse for a database that answers: its refusal is passed on', async () => {
    const rig = await expired();
    const answer = rig.get('a');
    (await rig.origin.called(2)).fail(
      new LarderError('ORIGIN', 'no such column', { details: { blames: 'statement' } }),
    );
    expect(failure(await answer.told)).toBe('ORIGIN');
  });

  test.each([{ negativeTtl: '1s' }, { negativeTtl: 0 }])('goes when its row has gone, with %j', async (policy) => {
    const rig = await expired(policy);
    await rig.origin.rows.deleteMany(['a']);
    const gone = rig.get('a');
    (await rig.origin.called(2)).open();
    expect(await gone.told).toBe('miss');
    rig.clock.advance(1000);
    const answer = rig.get('a');
    (await rig.origin.called(3)).fail(AWAY);
    expect(failure(await answer.told)).toBe('ORIGIN_UNAVAILABLE');
  });

  test('is not served in place of a newer value for which there is no room', async () => {
    const rig = await expired();
    await rig.row('a', 'two');
    rig.memory.refusing = 3;
    const answer = rig.get('a');
    (await rig.origin.called(2)).open();
    expect(await answer.told).toEqual({ value: 'two', from: 'origin' });
    const later = rig.get('a');
    (await rig.origin.called(3)).fail(AWAY);
    expect(failure(await later.told)).toBe('ORIGIN_UNAVAILABLE');
  });

  test('is not there for expire and delete', async () => {
    const rig = await expired({ write: 'behind' });
    expect(rig.expire('a', 5000).outcome).toEqual({ found: false });
    expect(rig.delete('a').outcome).toEqual({ found: false });
    expect(rig.get('a').outcome).toBe('miss');
  });
});

test('lives that are shown, set and renewed are those without staleFor', async () => {
  const rig = new Rig({ read: 'through', idle: '1s', staleFor: '10s' });
  rig.origin.gated = false;
  await rig.row('a', 'one');
  await rig.get('a').told;
  expect(rig.lifeMs('a')).toBe(1000);
  rig.clock.advance(500);
  rig.get('a');
  expect(rig.lifeMs('a')).toBe(1000);
  rig.expire('a', 3000);
  expect(rig.lifeMs('a')).toBe(3000);
  rig.expire('a', 0);
  expect(rig.lifeMs('a')).toBe(-1);
});

test('a pending write whose life is over is served as it is, and never loaded', async () => {
  const rig = new Rig({ read: 'through', write: 'behind', ttl: '1s', staleFor: '1s' });
  rig.set('a', 'written');
  await settle();
  rig.clock.advance(5000);
  expect(rig.get('a').outcome).toEqual({ value: 'written', from: 'memory' });
  expect(rig.origin.calls.every(({ kind }) => kind === 'write')).toBe(true);
});

test('"no such row" is not served beyond its own life', async () => {
  const rig = new Rig({ read: 'through', ttl: '1m', negativeTtl: '1s', staleFor: '10s' });
  const answer = rig.get('a');
  (await rig.origin.called(1)).open();
  expect(await answer.told).toBe('miss');
  rig.clock.advance(1000);
  const later = rig.get('a');
  (await rig.origin.called(2)).fail(AWAY);
  expect(failure(await later.told)).toBe('ORIGIN_UNAVAILABLE');
});
