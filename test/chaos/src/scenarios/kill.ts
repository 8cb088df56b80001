import type { Faults } from './scenario.js';

/** kill -9. The node comes back with nothing in its memory when others have taken its keys over. */
export async function kill(faults: Faults): Promise<void> {
  const { cluster } = faults.world;
  const id = faults.anyNode();
  const node = cluster.node(id);
  await faults.cause(
    id,
    'kill of',
    () => node.kill(),
    ({ answered }) => answered(),
    () => node.start(),
  );
}
