import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChaosWorld } from '../chaos-world.js';
import { WINDOW_MS_MAX } from '../check/window-probe.js';
import { startWorld } from '../start-world.js';
import { Faults, SHORT_PACE } from './scenario.js';
import { SCENARIOS, type ScenarioName } from './scenarios.js';

// The short form of `npm run chaos`: one round of each scenario, all on one cluster. The voter comes last, because it
// has no vote afterwards.

/** On a machine that has nothing else to do a tenth of it. */
const TEST_MS_MAX = 300_000;
const ORDER: readonly ScenarioName[] = [
  'kill',
  'freeze',
  'cut',
  'pair',
  'one-way',
  'slow',
  'rolling',
  'scale',
  'voter',
];

describe('a cluster of real processes under load', () => {
  let world: ChaosWorld;

  beforeAll(async () => {
    world = await startWorld({ delay: true });
  }, TEST_MS_MAX);
  afterAll(() => world?.stop());

  test.each(ORDER)(
    'survives %s',
    async (name) => {
      const faults = new Faults(world, SHORT_PACE, console.log);
      await SCENARIOS[name].run(faults);
      expect(faults.count).toBeGreaterThan(0);
      expect(world.evidence.stories).toEqual([]);
      expect(Math.max(...faults.windowsMs)).toBeLessThan(WINDOW_MS_MAX);
    },
    TEST_MS_MAX,
  );

  test(
    'has lost no acknowledged write, served no stale read, and had no two owners',
    async () => {
      await world.finish();
      const { counts, stories, owners, problems } = world.evidence;
      expect(stories).toEqual([]);
      expect(owners.found).toEqual([]);
      expect(problems).toBe(0);
      expect(counts).toMatchObject({ lost: 0, staleReads: 0, undecided: 0 });
      expect(counts.acknowledged).toBeGreaterThan(1_000);
    },
    TEST_MS_MAX,
  );
});
