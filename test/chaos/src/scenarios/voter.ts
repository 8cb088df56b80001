import type { Faults } from './scenario.js';

/** The same voter each time: with a majority of the votes forgotten there is no cluster any more. */
const VOTER = 'n3';

/** A voter is killed and comes back on an empty disk. It has to be a member like any other, without its vote. */
export async function voter(faults: Faults): Promise<void> {
  const node = faults.world.cluster.node(VOTER);
  await faults.cause(
    VOTER,
    'wiped voter',
    async () => {
      await node.kill();
      node.wipe();
    },
    ({ answered }) => answered(),
    () => node.start(),
  );
}
