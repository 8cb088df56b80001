import { expect, test } from 'vitest';
import { Rig, settle } from '../test/rig.js';
import { hashesOfTexts } from './tags/tag-hashes.js';

const TEMPLATES = { tags: ['product:{id}', 'category:{category}'] };
const TEA = '{"id":7,"category":"tea"}';
const GREEN_TEA = '{"id":7,"category":"tea","green":true}';

function invalidate(rig: Rig, ...tags: string[]): void {
  const hashes = tags.length === 0 ? undefined : hashesOfTexts(tags);
  rig.loader.beginInvalidation(hashes);
  rig.loader.invalidate(0, hashes);
}

test.each([
  ['by one of its tags', ['category:tea']],
  ['by a clear', []],
])(
  'a load that began before its value was invalidated, %s, is not stored, and nobody who comes later joins it',
  async (_how, tags) => {
    const rig = new Rig({ read: 'through', ...TEMPLATES });
    await rig.row('7', TEA);
    const before = rig.get('7');
    const first = await rig.origin.called(1);
    await rig.row('7', GREEN_TEA);
    invalidate(rig, ...tags);
    const after = rig.get('7');
    await settle();
    first.open();
    await settle();
    (await rig.origin.called(2)).open();
    await settle();
    expect(before.outcome).toEqual({ value: TEA, from: 'origin' });
    expect(after.outcome).toEqual({ value: GREEN_TEA, from: 'memory' });
    expect(rig.get('7').outcome).toEqual({ value: GREEN_TEA, from: 'memory' });
  },
);

test('an older load does not come in the place of a later one that has ended first', async () => {
  const rig = new Rig({ read: 'through', ...TEMPLATES });
  await rig.row('7', TEA);
  const before = rig.get('7');
  const first = await rig.origin.called(1);
  invalidate(rig, 'other');
  await rig.row('7', GREEN_TEA);
  const after = rig.get('7');
  await settle();
  rig.clock.advance(1);
  (await rig.origin.called(2)).open();
  await settle();
  expect(after.outcome).toEqual({ value: GREEN_TEA, from: 'memory' });
  first.open();
  await settle();
  expect(before.outcome).toEqual({ value: GREEN_TEA, from: 'memory' });
  expect(rig.get('7').outcome).toEqual({ value: GREEN_TEA, from: 'memory' });
});

test('a load whose tags were not meant is stored, however often others are invalidated meanwhile', async () => {
  const rig = new Rig({ read: 'through', ...TEMPLATES });
  await rig.row('7', TEA);
  rig.get('7');
  const first = await rig.origin.called(1);
  for (let turn = 0; turn < 5; turn++) {
    invalidate(rig, `other ${turn}`);
    rig.get('7');
  }
  first.open();
  await settle();
  expect(rig.get('7').outcome).toEqual({ value: TEA, from: 'memory' });
});

test('without templates an invalidation of tags concerns no load', async () => {
  const rig = new Rig({ read: 'through' });
  await rig.row('7', TEA);
  rig.get('7');
  const first = await rig.origin.called(1);
  invalidate(rig, 'category:tea');
  const joined = rig.get('7');
  first.open();
  await settle();
  expect(joined.outcome).toEqual({ value: TEA, from: 'memory' });
  expect(rig.origin.calls).toHaveLength(1);
});

test('what was written through while it was invalidated is in the origin only', async () => {
  const rig = new Rig({ read: 'through', write: 'through', ...TEMPLATES });
  const written = rig.set('7', TEA);
  const statement = await rig.origin.called(1);
  invalidate(rig, 'product:7');
  statement.open();
  await settle();
  expect(written.outcome).toEqual({ written: { seq: 0, copies: 0 } });
  rig.get('7');
  expect((await rig.origin.called(2)).kind).toBe('load');
});

test('what is written behind stays, and what is set without tags has those of its fields', async () => {
  const rig = new Rig({ read: 'through', write: 'behind', ...TEMPLATES });
  rig.set('7', TEA);
  invalidate(rig, 'product:7');
  invalidate(rig);
  expect(rig.get('7').outcome).toEqual({ value: TEA, from: 'memory' });
  const plain = new Rig({ ...TEMPLATES });
  plain.set('7', TEA);
  plain.set('8', 'no object');
  invalidate(plain, 'category:tea');
  expect([plain.get('7').outcome, plain.get('8').outcome]).toEqual(['miss', { value: 'no object', from: 'memory' }]);
});

test('a fill whose value was invalidated is refused, and who waits loads anew; the same holder does not share its load', () => {
  const rig = new Rig({ ...TEMPLATES });
  const holder = {};
  const first = rig.leased('7', holder);
  expect(rig.leased('7', holder)).toBe(first);
  const waiting = rig.lease('7');
  invalidate(rig, 'product:7');
  const second = rig.leased('7', holder);
  expect(second).not.toBe(first);
  expect(rig.fill('7', first, TEA).outcome).toBe('refused fill');
  expect(waiting.outcome).toBeUndefined();
  expect(rig.fill('7', second, GREEN_TEA).outcome).toMatchObject({ written: {} });
});

test('a fill whose tags were not meant is stored', () => {
  const rig = new Rig({ ...TEMPLATES });
  const lease = rig.leased('7');
  invalidate(rig, 'product:8');
  expect(rig.fill('7', lease, TEA).outcome).toMatchObject({ written: {} });
  expect(rig.get('7').outcome).toEqual({ value: TEA, from: 'memory' });
});
