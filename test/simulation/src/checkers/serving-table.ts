import type { Cluster } from '../cluster.js';
import type { SimulatedNode } from '../simulated-node.js';

/** What a node looks up in its table is what the serve rule says, word for word. */
export function checkServingTable(cluster: Cluster, { member, name }: SimulatedNode): void {
  if (member === undefined) return;
  const table = member.beginTurn();
  for (let partition = 0; partition < cluster.options.partitions; partition++) {
    const obstacle = member.obstacle(partition);
    if (table.serves(partition) === (obstacle === undefined)) continue;
    cluster.fail(`${name} has the table of partition ${partition} wrong: the rule says ${obstacle ?? 'serve'}`);
  }
}
