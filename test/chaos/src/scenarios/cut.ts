import { CLIENTS } from '../network/chaos-network.js';
import { type Faults, forMs } from './scenario.js';

type Cut = (faults: Faults, id: string) => readonly (readonly [from: string, to: string])[];

/** From all other nodes; the clients still reach it. */
const fromNodes: Cut = ({ world }, id) => {
  const others = world.cluster.nodes.filter((node) => node.id !== id);
  return others.flatMap((node) => bothWays(id, node.id));
};

/** From one other node only: nobody is the minority. */
const fromOne: Cut = (faults, id) => bothWays(id, faults.otherThan(id));

/** From all nodes and from the clients. */
const fromAll: Cut = (faults, id) => [...fromNodes(faults, id), ...bothWays(id, CLIENTS)];

/** The others do not hear it; it hears them. */
const unheard: Cut = (faults, id) => fromNodes(faults, id).filter(([from]) => from === id);

/** It hears nobody, and is heard. */
const deaf: Cut = (faults, id) => fromNodes(faults, id).filter(([, to]) => to === id);

/** One node does not hear one other. */
const unheardByOne: Cut = (faults, id) => fromOne(faults, id).slice(0, 1);

/** A node is cut off in both directions: from all nodes, from one, from clients too; one after the other. */
export const cut = (faults: Faults): Promise<void> => cutOff(faults, [fromNodes, fromOne, fromAll]);

/** The same in one direction. */
export const oneWay = (faults: Faults): Promise<void> => cutOff(faults, [unheard, deaf, unheardByOne]);

/** Two nodes cannot hear each other for so long that both would be taken for dead, did the others not hear them. */
export const pair = (faults: Faults): Promise<void> => cutOff(faults, [fromOne], faults.pace.pairMs);

async function cutOff(faults: Faults, kinds: readonly Cut[], durationMs = faults.pace.cutMs): Promise<void> {
  const { network } = faults.world;
  const id = faults.anyNode();
  const directions = (kinds[faults.count % kinds.length] as Cut)(faults, id);
  const shown = directions.map(([from, to]) => `${from}>${to}`).join(' ');
  await faults.cause(
    id,
    `cut ${shown} of`,
    async () => {
      for (const [from, to] of directions) await network.cut(from, to);
    },
    forMs(durationMs),
    () => network.mend(),
  );
}

function bothWays(one: string, other: string): [from: string, to: string][] {
  return [
    [one, other],
    [other, one],
  ];
}
