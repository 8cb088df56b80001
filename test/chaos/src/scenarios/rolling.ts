import type { Faults } from './scenario.js';

/** All nodes are restarted, one after the other, as for an update: drained, ended, started. No call may fail. */
export async function rolling(faults: Faults): Promise<void> {
  const { world } = faults;
  for (const { id } of world.cluster.nodes) {
    await faults.cause(
      id,
      'restart of',
      () => world.drain(id),
      async () => {},
      () => world.cluster.node(id).start(),
    );
  }
}
