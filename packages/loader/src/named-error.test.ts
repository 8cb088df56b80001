import { LarderError } from '@larder/proto';
import { describe, expect, it } from 'vitest';
import { message, Rig, settle } from '../test/rig.js';
import { namedError } from './named-error.js';

const REFUSED = new LarderError('ORIGIN', 'the row is refused', {
  outcome: 'not-applied',
  details: { blames: 'row', sqlState: '23514' },
});

describe('an origin’s error', () => {
  it('names cache and key of a load', async () => {
    const rig = new Rig({ read: 'through' });
    const answers = [rig.get('a'), rig.get('b')];
    (await rig.origin.called(1)).fail(new LarderError('ORIGIN_UNAVAILABLE', 'it is away'));
    await settle();
    expect(answers.map(({ outcome }) => message(outcome))).toEqual([
      `ORIGIN_UNAVAILABLE: cache 'things', key "a": it is away`,
      `ORIGIN_UNAVAILABLE: cache 'things', key "b": it is away`,
    ]);
    rig.loader.close();
  });

  it('names cache and key of a write, and keeps outcome and details', async () => {
    const rig = new Rig({ read: 'through', write: 'through' });
    const answer = rig.set('a', 'secret');
    (await rig.origin.called(1)).fail(REFUSED);
    await settle();
    expect(message(answer.outcome)).toBe(`ORIGIN: cache 'things', key "a": the row is refused`);
    expect(answer.outcome).toMatchObject({ failed: { outcome: 'not-applied', details: { sqlState: '23514' } } });
    rig.loader.close();
  });

  it.each(['through', 'behind'] as const)('names cache and key of a value that %s writes cannot take', (write) => {
    const rig = new Rig({ read: 'through', write });
    rig.origin.check = () => new LarderError('BAD_ARGUMENT', 'the value lacks a column', { outcome: 'not-applied' });
    const { outcome } = rig.set('a', 'secret');
    expect(message(outcome)).toBe(`BAD_ARGUMENT: cache 'things', key "a": the value lacks a column`);
    rig.loader.close();
  });

  it('names cache and key of a write to an origin that can only be read', () => {
    const readOnly = new LarderError('READ_ONLY', 'the origin is a query', { outcome: 'not-applied' });
    const named = namedError(readOnly, 'things', 'a');
    expect(named).toMatchObject({ code: 'READ_ONLY', outcome: 'not-applied' });
    expect(named.message).toBe(`READ_ONLY: cache 'things', key "a": the origin is a query`);
  });

  it('shows of a long key its beginning only, and leaves errors alone that are about nodes', () => {
    expect(namedError(REFUSED, 'things', 'k'.repeat(4096)).message.length).toBeLessThan(200);
    const moved = new LarderError('NOT_OWNER', 'partition 1 is away');
    expect(namedError(moved, 'things', 'a')).toBe(moved);
  });
});
