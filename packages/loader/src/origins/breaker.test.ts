import { ManualClock } from '@larder/base';
import { LarderError } from '@larder/proto';
import { expect, test } from 'vitest';
import { settle } from '../../test/rig.js';
import { Breaker } from './breaker.js';
import { type BreakerOptions, resolveBreakerOptions } from './breaker-options.js';
import { GuardedOrigin } from './guarded-origin.js';
import { MemoryOrigin } from './memory.js';

const AWAY = new LarderError('ORIGIN_UNAVAILABLE', 'the database cannot be reached');

class World {
  readonly clock = new ManualClock();
  readonly states: string[] = [];
  isUp = true;
  calls = 0;
  probes = 0;
  readonly breaker: Breaker;

  constructor(options: BreakerOptions = {}) {
    this.breaker = new Breaker({
      options: resolveBreakerOptions(options),
      label: 'the database',
      clock: this.clock,
      probe: async () => {
        this.probes++;
        if (!this.isUp) throw AWAY;
      },
    });
    this.breaker.changed = (state) => this.states.push(state);
  }

  /** Undefined if it went well. */
  async call(error?: Error): Promise<unknown> {
    const run = this.breaker.run('not-applied', async () => {
      this.calls++;
      if (error) throw error;
    });
    return run.catch((thrown: unknown) => thrown);
  }

  async fail(times: number): Promise<void> {
    for (let call = 0; call < times; call++) await this.call(AWAY);
  }
}

test('it opens after five failures in a row, and then calls fail at once and name the failure', async () => {
  const world = new World();
  await world.fail(4);
  expect(await world.call()).toBeUndefined();
  await world.fail(4);
  expect(world.breaker.state).toBe('closed');
  await world.fail(1);
  expect(world.breaker.state).toBe('open');
  const { calls } = world;
  const error = await world.call();
  expect(error).toMatchObject({ code: 'ORIGIN_UNAVAILABLE', outcome: 'not-applied', details: { breaker: 'open' } });
  expect((error as Error).message).toBe(
    'ORIGIN_UNAVAILABLE: the database is not asked until it answers again: the database cannot be reached',
  );
  expect(world.calls).toBe(calls);
});

test('it opens when half of twenty calls within the window have failed, and not for those before it', async () => {
  const world = new World();
  for (let pair = 0; pair < 9; pair++) {
    await world.call(AWAY);
    await world.call();
  }
  world.clock.advance(11_000);
  await world.call();
  await world.call(AWAY);
  expect(world.breaker.state).toBe('closed');
  for (let pair = 0; pair < 9; pair++) {
    await world.call();
    await world.call(AWAY);
  }
  expect(world.breaker.state).toBe('open');
});

test('it is probed once a second, by no caller, and closes when a probe has passed', async () => {
  const world = new World();
  world.isUp = false;
  await world.fail(5);
  for (let second = 1; second <= 3; second++) {
    world.clock.advance(1_000);
    await settle();
    expect(world.probes).toBe(second);
  }
  expect(world.breaker.state).toBe('open');
  world.isUp = true;
  world.clock.advance(1_000);
  await settle();
  expect(world.breaker.state).toBe('closed');
  expect(world.states).toEqual(['open', 'closed']);
  expect(await world.call()).toBeUndefined();
  await world.fail(4);
  expect(world.breaker.state).toBe('closed');
  expect(world.clock.pendingCount).toBe(0);
});

test('what shows that the database is there does not count', async () => {
  const world = new World();
  const answers = [
    new LarderError('ORIGIN', 'duplicate key', { outcome: 'not-applied' }),
    new LarderError('ORIGIN_UNAVAILABLE', 'deadlock detected', { details: { sqlState: '40P01' } }),
    new LarderError('ORIGIN_UNAVAILABLE', 'fenced', { details: { fenced: true } }),
  ];
  for (let round = 0; round < 10; round++) for (const answer of answers) await world.call(answer);
  expect(world.breaker.state).toBe('closed');
  const timeout = new LarderError('ORIGIN_UNAVAILABLE', 'statement timeout', { details: { sqlState: '57014' } });
  for (let round = 0; round < 5; round++) await world.call(timeout);
  expect(world.breaker.state).toBe('open');
});

test('a closed breaker leaves no timer, and what it throws is what the origin threw', async () => {
  const world = new World({ failures: 1 });
  const thrown = new Error('a module’s own');
  expect(await world.call(thrown)).toBe(thrown);
  expect(world.clock.pendingCount).toBe(1);
  world.breaker.close();
  expect(world.clock.pendingCount).toBe(0);
});

test('an origin behind it reads and writes as before, until it opens', async () => {
  const world = new World({ failures: 1 });
  const rows = new MemoryOrigin();
  const origin = new GuardedOrigin(rows, world.breaker);
  const { signal } = new AbortController();
  await origin.writeMany([{ key: 'a', value: Buffer.from('one') }]);
  expect(await origin.loadMany(['a', 'b'], signal)).toEqual([Uint8Array.from(Buffer.from('one')), undefined]);
  expect(await origin.deleteMany(['a'])).toEqual([true]);
  await rows.close();
  await expect(origin.loadMany(['a'], signal)).rejects.toThrow('the origin is closed');
  await expect(origin.loadMany(['a'], signal)).rejects.toMatchObject({
    outcome: undefined,
    details: { breaker: 'open' },
  });
  await expect(origin.writeMany([])).rejects.toMatchObject({ outcome: 'not-applied' });
});
