import { ManualClock, systemClock } from '@larder/base';
import { onTestFinished } from 'vitest';
import { connect } from '../../connect.js';
import type { Larder } from '../../larder.js';
import type { ConnectOptions } from '../../options.js';
import { ScriptedNode } from './scripted-node.js';

/** A node that is gone when the test is over. */
export async function startNode(): Promise<ScriptedNode> {
  const node = await ScriptedNode.start();
  onTestFinished(() => node.kill());
  return node;
}

/** Nodes of one view that are gone when the test is over. */
export async function startNodes(count: number): Promise<ScriptedNode[]> {
  const nodes = await ScriptedNode.startMany(count);
  onTestFinished(() => {
    for (const node of nodes) node.kill();
  });
  return nodes;
}

/** A clock that stands still, at the real time: gRPC's own deadlines know no other. */
export function stoppedClock(): ManualClock {
  return new ManualClock(systemClock.wallMs());
}

/**
 * A client of the node that is gone when the test is over. On the real clock it is patient: the machine may be busy. On a
 * test's own clock a call may take a second.
 */
export async function connectTo(node: ScriptedNode, options: Partial<ConnectOptions> = {}): Promise<Larder> {
  const timeout = options.clock ? '1s' : '30s';
  const larder = await connect({ endpoints: node.address, connectTimeout: '20s', timeout, ...options });
  onTestFinished(() => larder.destroy());
  return larder;
}
