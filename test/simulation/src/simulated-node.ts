import { seededRandom } from '@larder/base';
import {
  type Envelope,
  LAN_TIMERS,
  Member,
  packedKey,
  packedValue,
  type ViewDocument,
  type ViewStore,
} from '@larder/node/internal';
import type { Cluster } from './cluster.js';
import { type Answer, OperationExecutor, type Request } from './operation-executor.js';
import { entriesOf, keyText, SimulatedEntries } from './simulated-entries.js';
import { SimulatedFence } from './simulated-fence.js';
import { SimulatedProcess } from './simulated-process.js';

/** A machine that runs one node at a time: started, killed, paused, started again with empty memory. */
export class SimulatedNode {
  process: SimulatedProcess;
  member: Member | undefined;
  executor: OperationExecutor | undefined;
  /** It left on purpose and stays away. */
  gone = false;
  /** Partitions whose entries this node may take away. */
  readonly #evictable = new Set<number>();
  #expiryTimer = { cancel: (): void => {} };
  #flushTimer = { cancel: (): void => {} };

  constructor(
    readonly cluster: Cluster,
    readonly name: string,
    readonly zone: string,
    readonly founder: boolean,
  ) {
    this.process = new SimulatedProcess(cluster.world, 1, 0, () => {});
    this.process.kill();
    cluster.network.add(this);
  }

  get running(): boolean {
    return this.member !== undefined && this.process.running;
  }

  deliver(run: () => void): void {
    this.process.run(run);
  }

  linkOpened(other: string): void {
    this.process.run(() => this.member?.linkOpened(other));
  }

  start(): void {
    if (this.member !== undefined) return;
    const { cluster } = this;
    const { random, options, world } = cluster;
    const rate = 1 + options.clockDriftMax * (2 * random.next() - 1);
    this.process = new SimulatedProcess(world, rate, (random.next() - 0.5) * 100_000, () => this.#turnEnded());
    const { process } = this;
    const processRandom = seededRandom(random.uint32());
    const store = cluster.connectStore(this.name, process, processRandom);
    world.tell(() => `${this.name} starts`);
    this.gone = false;
    this.#evictable.clear();
    process.run(() => this.#begin(process, processRandom, store));
  }

  kill(): void {
    if (this.member === undefined) return;
    this.cluster.world.tell(() => `${this.name} dies`);
    this.#expiryTimer.cancel();
    this.#flushTimer.cancel();
    this.process.kill();
    this.member.stop();
    this.member = undefined;
    this.executor = undefined;
    this.cluster.network.breakAll(this.name);
  }

  /** A client's request that arrived here. */
  execute(request: Request, answer: (answer: Answer) => void): void {
    if (this.executor === undefined) return;
    this.cluster.checkers.beforeServing(this, request.partition);
    this.executor.execute(request, answer);
  }

  #begin(process: SimulatedProcess, random: ReturnType<typeof seededRandom>, store: ViewStore): void {
    const { cluster } = this;
    const self = { id: this.name, address: `${this.name}:1`, zone: this.zone, pool: '', weight: 1 };
    const config = { copies: 2, copiesMin: cluster.options.copiesMin, timers: LAN_TIMERS } as const;
    const founding = this.founder ? { config } : undefined;
    const fence = new SimulatedFence(this.name, process, cluster.database, () => member);
    const member: Member = new Member(
      {
        self,
        founding,
        clock: process,
        random,
        store,
        partitionCount: cluster.options.partitions,
        rules: cluster.rules,
      },
      {
        send: (node, envelope) => this.#send(process, node, envelope),
        createEntries: () => new SimulatedEntries(process, random.next() < 0.2 ? random.next() * 600 : 0),
        ownerChanged: (partition, owns) => {
          if (!owns) this.#evictable.delete(partition);
          fence.ownerChanged(partition, owns);
        },
        evictableChanged: (partition, evictable) => this.#setEvictable(partition, evictable),
        viewInstalled: (view) => this.#viewInstalled(view),
        expelled: () => this.#expelled(process),
        refused: (from, error) => cluster.fail(`${this.name} refused ${from}: ${error.message}`),
      },
    );
    this.member = member;
    this.executor = new OperationExecutor(this, member, process, fence);
    this.#expiryTimer = process.every(100, () => this.#expire());
    this.#flushTimer = process.every(150, () => {
      fence.raise();
      this.#flushDirty(process, fence);
    });
  }

  #send(process: SimulatedProcess, to: string, envelope: Envelope): void {
    if (!process.alive) return;
    this.cluster.network.send(this.name, to, () => this.cluster.nodes.get(to)?.member?.receive(envelope));
  }

  #turnEnded(): void {
    this.member?.flush();
    this.cluster.checkers.afterTurn(this);
  }

  #viewInstalled(view: ViewDocument): void {
    this.cluster.world.tell(() => `${this.name} installs view ${view.version}`);
    this.cluster.sawView(view);
  }

  #expelled(process: SimulatedProcess): void {
    this.cluster.world.tell(() => `${this.name} is no member any more`);
    this.cluster.world.after(0, () => {
      if (process === this.process) this.kill();
      if (!this.gone) this.cluster.world.after(200, () => this.start());
    });
  }

  #setEvictable(partition: number, evictable: boolean): void {
    if (evictable) this.#evictable.add(partition);
    else this.#evictable.delete(partition);
  }

  /** The owner alone ends the life of entries, as replicated deletes; and now and then it needs room. */
  #expire(): void {
    const { cluster, member, executor } = this;
    if (member === undefined || executor === undefined) return;
    for (const partition of member.holdings.copies.keys()) {
      const replicator = member.owning(partition);
      if (replicator === undefined || !this.#evictable.has(partition)) continue;
      for (const entry of entriesOf(replicator).entries.values()) {
        const evicted = cluster.options.evictions && cluster.random.next() < 0.002;
        if ((entry.expiresMs > this.process.monotonicMs() && !evicted) || entry.dirty) continue;
        executor.remove(replicator, entry.record);
      }
    }
  }

  /** Write-behind: what the database does not have yet goes there, and would not if it were older. */
  #flushDirty(process: SimulatedProcess, fence: SimulatedFence): void {
    const { cluster, member } = this;
    if (member === undefined) return;
    for (const partition of member.holdings.copies.keys()) {
      const replicator = member.serving(partition);
      if (replicator === undefined || fence.isShut(partition)) continue;
      for (const { record, dirty } of entriesOf(replicator).entries.values()) {
        if (!dirty || (member.rules.flushesCommitted && record.seq > replicator.committedSeq)) continue;
        const row = { epoch: record.epoch, seq: record.seq, value: packedValue(record) };
        cluster.database.write(keyText(packedKey(record)), row, fence, (done, fenced) => {
          process.run(() => {
            if (fenced) fence.renew();
            if (done && member.serving(partition) === replicator)
              replicator.clean(record.cache, packedKey(record), record);
          });
        });
      }
    }
  }
}
