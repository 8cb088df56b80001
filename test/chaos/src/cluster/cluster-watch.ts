/**
 * Asks every node for its status all the time: who serves what goes to the search for double owners, and whoever waits
 * for the cluster to be whole again is told. A node that does not answer says nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Evidence } from '../check/evidence.js';
import { monotonicMs } from '../load/monotonic.js';
import type { ChaosCluster } from './chaos-cluster.js';
import type { ChaosNode } from './chaos-node.js';
import { type NodeStatus, type PartitionCounts, StatusReader } from './node-status.js';

const PERIOD_MS = 150;
const SETTLED_MS_MAX = 60_000;

export class ClusterWatch {
  readonly #reader = new StatusReader();
  readonly #latest = new Map<string, { readonly status: NodeStatus; readonly askedMs: number }>();
  readonly #watching: Promise<void>;
  #isOver = false;

  constructor(
    private readonly cluster: ChaosCluster,
    private readonly evidence: Evidence,
  ) {
    this.#watching = this.#watch();
  }

  /**
   * Resolves when all nodes that run say the same: they and nobody else are members, every partition has its two copies,
   * and nothing moves. A minute later it is a problem.
   */
  async settled(): Promise<void> {
    const sinceMs = monotonicMs();
    while (!this.#isSettled(sinceMs)) {
      if (monotonicMs() - sinceMs > SETTLED_MS_MAX) {
        this.evidence.problem(`the cluster was not whole again within ${SETTLED_MS_MAX} ms: ${this.#shown()}`);
        return;
      }
      await sleep(PERIOD_MS / 3);
    }
  }

  /** How often partitions had to begin anew, by the latest word of any node. */
  get lost(): number {
    return Math.max(0, ...[...this.#latest.values()].map(({ status }) => status.partitions?.lost ?? 0));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    this.#reader.close();
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await Promise.all([this.#askAll(), sleep(PERIOD_MS)]);
    }
  }

  async #askAll(): Promise<void> {
    const nodes = this.cluster.nodes.filter(({ isFrozen }) => !isFrozen);
    await Promise.all(nodes.map((node) => this.#ask(node)));
  }

  async #ask({ id, address }: ChaosNode): Promise<void> {
    const askedMs = monotonicMs();
    const status = await this.#reader.read(address);
    if (status === undefined) return;
    this.#latest.set(id, { status, askedMs });
    const { incarnation, served } = status;
    this.evidence.owners.add({ node: id, incarnation, askedMs, answeredMs: monotonicMs(), served });
  }

  #isSettled(sinceMs: number): boolean {
    const running = this.cluster.nodes.map(({ id }) => this.#latest.get(id));
    const views = new Set<number>();
    for (const latest of running) {
      if (latest === undefined || latest.askedMs < sinceMs) return false;
      const { members, partitions, viewVersion } = latest.status;
      if (partitions === null || !isWhole(partitions) || members.length !== running.length) return false;
      if (!running.every((node) => node !== undefined && isMember(node.status, latest.status))) return false;
      views.add(viewVersion);
    }
    return views.size === 1;
  }

  #shown(): string {
    const shown = [...this.#latest].map(([id, { status }]) => {
      const { members, partitions, viewVersion, served } = status;
      const ids = members.map((member) => member.id).join(' ');
      const counts = JSON.stringify(partitions);
      return `${id} sees view ${viewVersion} of ${ids}: ${counts}; it serves ${served.length}`;
    });
    return shown.join('; ') || 'no node has answered';
  }
}

function isWhole({ underReplicated, moving, waiting, misplaced }: PartitionCounts): boolean {
  return underReplicated + moving + waiting + misplaced === 0;
}

function isMember({ nodeId, incarnation }: NodeStatus, of: NodeStatus): boolean {
  return of.members.some((member) => member.id === nodeId && member.incarnation === incarnation && !member.draining);
}
