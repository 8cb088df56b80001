import { type Faults, forMs } from './scenario.js';

/** A round trip to the node takes this much longer: less than the silence after which a successor is dropped. */
const DELAY_MS = 150;

/** The network to one node is slow. */
export async function slow(faults: Faults): Promise<void> {
  const { network } = faults.world;
  const id = faults.anyNode();
  await faults.cause(
    id,
    'slow',
    () => network.delay(id, DELAY_MS),
    forMs(faults.pace.slowMs),
    () => network.delay(id, 0),
  );
}
