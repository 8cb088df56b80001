import type { Random } from '@larder/base';
import type { ClientView } from '@larder/proto';
import type { Cache } from '../../cache.js';
import { text } from '../../codecs/text.js';
import type { Larder } from '../../larder.js';
import type { ConnectOptions } from '../../options.js';
import { connectTo, startNodes } from './connected.js';
import { type ScriptedNode, viewOwnedBy } from './scripted-node.js';

/** The pauses of chance are the shortest. */
export const UNSPREAD: Random = { next: () => 0, uint32: () => 1, integer: () => 0 };

export interface Pair {
  readonly one: ScriptedNode;
  readonly other: ScriptedNode;
  readonly larder: Larder;
  readonly cache: Cache<string>;
  /** Makes this node the owner of everything in the view that both tell from now on. */
  move(owner: ScriptedNode, version: number): ClientView;
}

/** Two nodes of which the first owns everything, and a client that has a session with it. */
export async function pair(options: Partial<ConnectOptions> = {}): Promise<Pair> {
  const nodes = await startNodes(2);
  const [one, other] = nodes as [ScriptedNode, ScriptedNode];
  const move = (owner: ScriptedNode, version: number): ClientView => {
    const view = viewOwnedBy(owner, nodes, version);
    for (const node of nodes) node.view = view;
    return view;
  };
  move(one, 1);
  const larder = await connectTo(one, options);
  const cache = larder.cache('names', { codec: text() });
  await cache.get('warm-up');
  await one.operations.take();
  return { one, other, larder, cache, move };
}
