import { type Faults, forMs } from './scenario.js';

/** SIGSTOP, and SIGCONT when others have taken its keys over: it wakes up and thinks that it owns them. */
export async function freeze(faults: Faults): Promise<void> {
  const id = faults.anyNode();
  const node = faults.world.cluster.node(id);
  await faults.cause(
    id,
    'freeze of',
    () => node.freeze(),
    forMs(faults.pace.freezeMs),
    () => node.thaw(),
  );
}
