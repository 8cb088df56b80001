import type { Faults } from './scenario.js';

const MORE = ['n4', 'n5'];

/** Two nodes join, one after the other, and leave again. */
export async function scale(faults: Faults): Promise<void> {
  const { cluster } = faults.world;
  for (const id of MORE) {
    await faults.cause(
      faults.anyNode(),
      () => cluster.join(id),
      async () => {},
      () => {},
    );
  }
  for (const id of [...MORE].reverse()) {
    await faults.cause(
      id,
      () => faults.world.drain(id),
      async () => {},
      () => {},
    );
  }
}
