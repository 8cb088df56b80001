import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '@larder/base';
import type { Evidence } from './check/evidence.js';
import type { WindowProbe } from './check/window-probe.js';
import type { ChaosCluster } from './cluster/chaos-cluster.js';
import type { ClusterWatch } from './cluster/cluster-watch.js';
import type { ClientProcess } from './load/client-process.js';
import { monotonicMs } from './load/monotonic.js';
import type { ChaosNetwork } from './network/chaos-network.js';

export interface WorldParts {
  readonly network: ChaosNetwork;
  readonly cluster: ChaosCluster;
  readonly evidence: Evidence;
  readonly watch: ClusterWatch;
  readonly probe: WindowProbe;
  readonly clients: readonly ClientProcess[];
  /** Waits for what is being judged, and judges no more. */
  readonly endJudging: () => Promise<void>;
  /** Ends everything at once. */
  readonly stop: () => Promise<void>;
}

/** How much load there is before a fault, so that there is something to lose. */
const LOAD_WRITES = 300;
const LOAD_MS_MAX = 20_000;
const LOAD_LOOK_MS = 20;

/**
 * Everything of a chaos run but its faults: a database, a network, nodes, clients that call all the time, and whoever
 * watches. `startWorld` makes it; what happens to it is a scenario's affair.
 */
export class ChaosWorld {
  readonly random = systemRandom;

  constructor(private readonly parts: WorldParts) {}

  get network(): ChaosNetwork {
    return this.parts.network;
  }

  get cluster(): ChaosCluster {
    return this.parts.cluster;
  }

  get watch(): ClusterWatch {
    return this.parts.watch;
  }

  get evidence(): Evidence {
    return this.parts.evidence;
  }

  get probe(): WindowProbe {
    return this.parts.probe;
  }

  /** Resolves when the clients have had some hundred writes acknowledged from now on. */
  async loaded(): Promise<void> {
    const { counts } = this.evidence;
    const wanted = counts.acknowledged + LOAD_WRITES;
    const untilMs = monotonicMs() + LOAD_MS_MAX;
    while (counts.acknowledged < wanted && monotonicMs() < untilMs) await sleep(LOAD_LOOK_MS);
    if (counts.acknowledged < wanted) {
      this.evidence.problem(`there were not ${LOAD_WRITES} writes in ${LOAD_MS_MAX} ms without a fault`);
    }
  }

  /** SIGTERM; whatever a node leaves behind then is a problem. */
  async drain(id: string): Promise<void> {
    const node = this.cluster.node(id);
    const { code, signal } = await node.drain();
    if (code === 0) return;
    this.evidence.problem(`node ${id} ended with ${signal ?? `exit code ${code}`}: ${node.log.slice(-3).join(' ')}`);
  }

  /** Ends the load, has all keys audited and judged, drains all nodes, and compares the tables. */
  async finish(): Promise<void> {
    const { network, watch, clients, evidence, cluster, endJudging } = this.parts;
    await network.mend();
    await watch.settled();
    await Promise.all(clients.map((client) => client.finish()));
    await endJudging();
    await evidence.judge(true);
    await watch.stop();
    if (watch.lost > 0) evidence.problem(`the cluster says that ${watch.lost} partitions had to begin anew`);
    // A voter that has lost its vote is the last of them: the others still have a majority then.
    for (const { id } of [...cluster.nodes].reverse()) await this.drain(id);
    await evidence.compareTables();
  }

  /** Ends everything at once, whether it was finished or not. */
  stop(): Promise<void> {
    return this.parts.stop();
  }
}
