import { seededRandom } from '@larder/base';
import { keySlice } from '@larder/proto';
import { describe, expect, test, vi } from 'vitest';
import { failure, message, Rig, settle } from '../test/rig.js';
import { PutResult } from './entry-memory.js';
import { Loader } from './loader.js';

describe('a cache without an origin', () => {
  test('answers everything within the call', () => {
    const rig = new Rig({});
    const answers = [rig.get('a'), rig.set('a', '1'), rig.get('a'), rig.delete('a'), rig.delete('a'), rig.get('a')];
    expect(answers.map((answer) => answer.isLater)).toEqual(answers.map(() => false));
    expect(answers.map((answer) => answer.outcome)).toEqual([
      'miss',
      { written: { seq: 1, copies: 1 } },
      { value: '1', from: 'memory' },
      { found: true },
      { found: false },
      'miss',
    ]);
  });

  test('counts gets, sets and deletes', () => {
    const rig = new Rig({});
    rig.get('a');
    rig.set('a', '1');
    rig.get('a');
    rig.get('a');
    rig.delete('a');
    expect(rig.loader.statistics()).toMatchObject({
      hits: 2,
      misses: 1,
      sets: 1,
      deletes: 1,
      loads: 0,
      pendingWrites: 0,
    });
  });

  test('takes keys that are not text', () => {
    const rig = new Rig({});
    const key = keySlice(Buffer.from([0xff, 0x00, 0xfe]));
    rig.set(key, 'bytes');
    expect(rig.get(key).outcome).toEqual({ value: 'bytes', from: 'memory' });
  });

  test('says what is wrong when the memory cannot take a value', () => {
    const rig = new Rig({ memory: '1MiB' });
    rig.memory.refusing = PutResult.tooLarge;
    const large = rig.set('a', 'x'.repeat(100)).outcome;
    expect(failure(large)).toBe('TOO_LARGE not-applied');
    expect(message(large)).toContain("100 bytes, more than cache 'things' can hold in its memory of 1048576");
    rig.memory.refusing = PutResult.full;
    expect(failure(rig.set('a', '1').outcome)).toBe('OUT_OF_MEMORY not-applied');
  });
});

describe('the idle time of an entry', () => {
  test('begins anew with a get, as often as there is one', () => {
    const rig = new Rig({ idle: '8s', jitter: 0 });
    rig.set('used', '1');
    rig.set('unused', '1');
    for (let get = 0; get < 5; get++) {
      rig.clock.advance(7000);
      expect(rig.get('used').outcome).toEqual({ value: '1', from: 'memory' });
    }
    expect(rig.get('unused').outcome).toBe('miss');
    rig.clock.advance(8000);
    expect(rig.get('used').outcome).toBe('miss');
  });

  test('is written no more than eight times in its length, however many gets there are', () => {
    const rig = new Rig({ idle: '8s', jitter: 0.5 });
    rig.set('a', '1');
    const expire = vi.spyOn(rig.memory, 'expire');
    for (let ms = 0; ms < 80_000; ms += 10) {
      rig.clock.advance(10);
      expect(rig.get('a').outcome).not.toBe('miss');
    }
    expect(expire.mock.calls.length).toBeGreaterThan(70);
    expect(expire.mock.calls.length).toBeLessThanOrEqual(81);
  });

  test('leaves a longer life alone, and an entry that never expires', () => {
    const rig = new Rig({ idle: '8s', jitter: 0 });
    rig.set('long', '1', 60_000);
    rig.set('ever', '1', 0);
    rig.clock.advance(50_000);
    rig.get('long');
    rig.get('ever');
    const { memory } = rig;
    expect(memory.remainingMs(memory.peek(keySlice(Buffer.from('long'))))).toBe(10_000);
    expect(memory.remainingMs(memory.peek(keySlice(Buffer.from('ever'))))).toBe(-1);
  });

  test('is not renewed by who learns that the origin has no such row, nor while a write is pending', async () => {
    const rig = new Rig({ read: 'through', write: 'behind', idle: '8s', negativeTtl: '5s' });
    const missing = rig.get('missing');
    (await rig.origin.called(1)).open();
    await settle();
    expect(missing.outcome).toBe('miss');
    rig.set('pending', '1');
    const expire = vi.spyOn(rig.memory, 'expire');
    rig.clock.advance(4000);
    rig.get('missing');
    rig.get('pending');
    expect(expire).not.toHaveBeenCalled();
  });
});

describe('the life of an entry', () => {
  test('is what the set says, else the default; 0 is for ever', () => {
    const rig = new Rig({ ttl: '1s', jitter: 0 });
    rig.set('default', '1');
    rig.set('long', '1', 5000);
    rig.set('ever', '1', 0);
    rig.clock.advance(1000);
    expect(['default', 'long', 'ever'].map((key) => rig.get(key).outcome !== 'miss')).toEqual([false, true, true]);
    rig.clock.advance(1_000_000);
    expect(['long', 'ever'].map((key) => rig.get(key).outcome !== 'miss')).toEqual([false, true]);
  });

  test('with jitter is shorter by at most that share, and not always the same', () => {
    const rig = new Rig({ ttl: '10s', jitter: 0.3 });
    for (let key = 0; key < 100; key++) rig.set(`${key}`, '1');
    const alive = (): number =>
      Array.from({ length: 100 }, (_, key) => rig.get(`${key}`)).filter((answer) => answer.outcome !== 'miss').length;
    rig.clock.advance(6999);
    expect(alive()).toBe(100);
    rig.clock.advance(1500);
    expect(alive()).toBeGreaterThan(20);
    expect(alive()).toBeLessThan(80);
    rig.clock.advance(1500);
    expect(alive()).toBe(0);
  });

  test('can be changed while it lasts', () => {
    const rig = new Rig({ ttl: '1s', jitter: 0 });
    rig.set('a', '1');
    expect(rig.expire('a', 10_000).outcome).toEqual({ found: true });
    expect(rig.expire('b', 10_000).outcome).toEqual({ found: false });
    rig.clock.advance(9999);
    expect(rig.get('a').outcome).toEqual({ value: '1', from: 'memory' });
    rig.expire('a', 0);
    rig.clock.advance(1_000_000);
    expect(rig.get('a').outcome).toEqual({ value: '1', from: 'memory' });
  });
});

test('a policy that needs an origin cannot be run without one', () => {
  for (const { policy } of [new Rig({ read: 'through' }).loader, new Rig({ write: 'behind', read: 'aside' }).loader]) {
    const { memory, clock } = new Rig({});
    const options = { name: 'things', policy, memory, origin: undefined, clock, random: seededRandom(1) };
    expect(() => new Loader(options)).toThrow('needs an origin');
  }
});
