import type { ManualClock } from '@larder/base';
import { type ResolvedNodeConfig, type RunningNode, resolveNodeConfig, startNode } from '@larder/node';
import { freePorts } from '@larder/test-kit';

const SILENT = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export interface LocalCluster extends AsyncDisposable {
  readonly nodes: readonly RunningNode[];
  /** host:port of each node. */
  readonly addresses: readonly string[];
}

export interface LocalClusterOptions {
  /** What would stand in the config file. */
  readonly config: unknown;
  readonly nodes?: number;
  /** Held by the test. Default: the system's clock. */
  readonly clock?: ManualClock;
}

/** Real nodes `n1`, `n2`, ... on real ports, but all in this process, so that a test may hold their clock. */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const ports = await freePorts(options.nodes ?? 1);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const list = addresses.map((address, index) => ({ id: `n${index + 1}`, address }));
  const config: ResolvedNodeConfig = resolveNodeConfig(options.config, 'test');
  const nodes = await Promise.all(
    list.map(({ id, address }) =>
      startNode({ id, listen: address, nodes: list, config, clock: options.clock, log: SILENT }),
    ),
  );
  return {
    nodes,
    addresses,
    async [Symbol.asyncDispose]() {
      let isClosed = false;
      const closing = Promise.all(nodes.map((node) => node.close())).finally(() => {
        isClosed = true;
      });
      while (options.clock && !isClosed) {
        options.clock.advance(1);
        await new Promise(setImmediate);
      }
      await closing;
    },
  };
}
