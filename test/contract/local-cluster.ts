import type { ManualClock } from '@larder/base';
import { type ResolvedNodeConfig, type RunningNode, resolveNodeConfig, startNode } from '@larder/node';
import { freePorts, untilSettled } from '@larder/test-kit';

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
  const nodes = await whileTimePasses(
    options.clock,
    Promise.all(
      list.map(({ id, address }) =>
        startNode({
          id,
          listen: address,
          ...(id === 'n1' ? {} : { join: [addresses[0]!] }),
          config,
          clock: options.clock,
          log: SILENT,
        }),
      ),
    ),
  );
  await whileTimePasses(options.clock, untilSettled(addresses));
  return {
    nodes,
    addresses,
    async [Symbol.asyncDispose]() {
      await whileTimePasses(options.clock, Promise.all(nodes.map((node) => node.close())));
    },
  };
}

async function whileTimePasses<T>(clock: ManualClock | undefined, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  while (clock && !isOver) {
    clock.advance(1);
    await new Promise(setImmediate);
  }
  return over;
}
