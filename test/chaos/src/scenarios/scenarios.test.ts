import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChaosWorld } from '../chaos-world.js';
import { WINDOW_MS_MAX } from '../check/window-probe.js';
import { startWorld } from '../start-world.js';
import { Faults, SHORT_PACE } from './scenario.js';
import { SCENARIOS, type ScenarioName } from './scenarios.js';

// The short form of `npm run chaos`: one round of each scenario, all on one cluster. The voter comes last, because it
// has no vote afterwards.

const MAIN = fileURLToPath(new URL('../../../../packages/node/dist/main.js', import.meta.url));
/** The scenarios need nodes that keep a view; those of today are told of each other by --nodes. */
const nodesFormClusters = execFileSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' }).includes('--voters');

const ORDER: readonly ScenarioName[] = ['kill', 'freeze', 'cut', 'one-way', 'slow', 'rolling', 'scale', 'voter'];

describe.skipIf(!nodesFormClusters)('a cluster of real processes under load', () => {
  let world: ChaosWorld;

  beforeAll(async () => {
    world = await startWorld({ delay: true });
  });
  afterAll(() => world?.stop());

  test.each(ORDER)('survives %s', async (name) => {
    const faults = new Faults(world, SHORT_PACE);
    await SCENARIOS[name].run(faults);
    expect(faults.count).toBeGreaterThan(0);
    expect(world.evidence.stories).toEqual([]);
    expect(Math.max(...faults.windowsMs)).toBeLessThan(WINDOW_MS_MAX);
  });

  test('has lost no acknowledged write, served no stale read, and had no two owners', async () => {
    await world.finish();
    const { counts, stories, owners, problems } = world.evidence;
    expect(stories).toEqual([]);
    expect(owners.found).toEqual([]);
    expect(problems).toBe(0);
    expect(counts).toMatchObject({ lost: 0, staleReads: 0, undecided: 0 });
    expect(counts.acknowledged).toBeGreaterThan(1_000);
  });
});
