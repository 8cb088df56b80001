import type { Faults } from './scenario.js';

/** Nodes join, one after the other, and leave again. */
export async function scale(faults: Faults): Promise<void> {
  const { cluster } = faults.world;
  const more = Array.from({ length: faults.pace.joining }, (_, index) => `n${index + 4}`);
  for (const id of more) {
    await faults.cause(
      faults.anyNode(),
      'a node joins, seen from',
      () => cluster.join(id),
      async () => {},
      () => {},
    );
  }
  for (const id of [...more].reverse()) {
    await faults.cause(
      id,
      'leave of',
      () => faults.world.drain(id),
      async () => {},
      () => {},
    );
  }
}
