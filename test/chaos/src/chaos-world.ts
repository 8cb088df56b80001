/**
 * Everything of a chaos run but its faults: a database, a network, nodes, clients that call all the time, and whoever
 * watches. What a scenario does to it is its own affair (scenarios/).
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '@larder/base';
import { connect, type Larder } from '@larder/client';
import { type Postgres, startPostgres } from '@larder/test-kit';
import { ChaosDatabase } from './check/chaos-database.js';
import { Evidence } from './check/evidence.js';
import { KeyHistories } from './check/key-histories.js';
import { WindowProbe } from './check/window-probe.js';
import { ChaosCluster } from './cluster/chaos-cluster.js';
import { ClusterWatch } from './cluster/cluster-watch.js';
import type { ToldCall } from './load/client-messages.js';
import { ClientProcess } from './load/client-process.js';
import { monotonicMs } from './load/monotonic.js';
import { RecordedCaches } from './load/recorded-caches.js';
import type { ChaosNetwork } from './network/chaos-network.js';
import { type NetworkNeeds, openNetwork } from './network/open-network.js';

export interface ChaosWorldOptions extends NetworkNeeds {
  readonly voters: 1 | 3 | 5;
}

const CLIENTS = 3;
const CALLERS = 6;
const PAUSE_MS = 25;
const TIMEOUT_MS = 5_000;
/** Of the calls that measure how long keys are away: there is a next one in a moment. */
const PROBE_TIMEOUT_MS = 500;
const PROBE = 'probe';
const JUDGE_PERIOD_MS = 500;
const LOAD_WRITES = 300;
const LOAD_MS_MAX = 20_000;
const LOAD_LOOK_MS = 20;

export class ChaosWorld {
  readonly random = systemRandom;
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #clients: ClientProcess[] = [];
  #judging: Promise<void> = Promise.resolve();

  network!: ChaosNetwork;
  cluster!: ChaosCluster;
  watch!: ClusterWatch;
  evidence!: Evidence;
  probe!: WindowProbe;

  /** Resolves when the clients have begun to call. Whatever was started is stopped if something cannot be. */
  static async start(options: ChaosWorldOptions): Promise<ChaosWorld> {
    const world = new ChaosWorld();
    try {
      await world.#start(options);
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  /** Resolves when the clients have had some hundred writes acknowledged from now on: there is something to lose. */
  async loaded(): Promise<void> {
    const { counts } = this.evidence;
    const wanted = counts.acknowledged + LOAD_WRITES;
    const untilMs = monotonicMs() + LOAD_MS_MAX;
    while (counts.acknowledged < wanted && monotonicMs() < untilMs) await sleep(LOAD_LOOK_MS);
    if (counts.acknowledged < wanted)
      this.evidence.problem(`no ${LOAD_WRITES} writes in ${LOAD_MS_MAX} ms without fault`);
  }

  /** Ends the load, audits all keys, drains all nodes, and compares the tables. */
  async finish(): Promise<void> {
    await this.network.mend();
    await this.watch.settled();
    await Promise.all(this.#clients.map((client) => client.finish()));
    await this.#judging;
    await this.evidence.judge(true);
    await this.watch.stop();
    for (const node of this.cluster.nodes) await this.drain(node.id);
    await this.evidence.compareTables();
  }

  /** SIGTERM, and whatever a node leaves behind then is a problem. */
  async drain(id: string): Promise<void> {
    const node = this.cluster.node(id);
    const { code, signal } = await node.drain();
    if (code === 0) return;
    this.evidence.problem(`node ${id} ended with ${signal ?? `exit code ${code}`}: ${node.log.slice(-3).join(' ')}`);
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end().catch((error: unknown) => console.error(error));
  }

  async #start(options: ChaosWorldOptions): Promise<void> {
    this.network = await openNetwork(options);
    this.#ends.push(() => this.network.close());
    const databaseUrl = await this.#startDatabase();
    this.cluster = await ChaosCluster.start({ network: this.network, databaseUrl, voters: options.voters });
    this.#ends.push(() => this.cluster.stop());
    this.watch = new ClusterWatch(this.cluster, this.evidence);
    this.#ends.push(() => this.watch.stop());
    await this.watch.settled();
    const larder = await this.#startProbe();
    this.#ends.push(async () => larder.destroy());
    this.#startClients();
    const judging = setInterval(() => {
      this.#judging = this.#judging
        .then(() => this.evidence.judge())
        .catch((error) => this.evidence.problem(String(error)));
    }, JUDGE_PERIOD_MS);
    this.#ends.push(async () => {
      clearInterval(judging);
      await this.#judging;
    });
  }

  /** The nodes reach it by a socket of the file system, which no fault of the network touches. */
  async #startDatabase(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'larder-chaos-socket-'));
    chmodSync(folder, 0o777);
    this.#ends.push(async () => rmSync(folder, { recursive: true, force: true }));
    const postgres: Postgres = await startPostgres({ settings: { unix_socket_directories: folder } });
    this.#ends.push(() => postgres.stop());
    const database = await ChaosDatabase.open(postgres.url);
    this.#ends.push(() => database.close());
    const names = [PROBE, ...Array.from({ length: CLIENTS }, (_, index) => clientName(index))];
    this.evidence = new Evidence(database, new KeyHistories(names));
    return `${postgres.url}?host=${encodeURIComponent(folder)}`;
  }

  async #startProbe(): Promise<Larder> {
    const larder = await connect({ endpoints: () => this.cluster.endpoints, timeout: PROBE_TIMEOUT_MS, name: PROBE });
    const caches: RecordedCaches = new RecordedCaches(larder, {
      client: PROBE,
      recorded: (record, { endMs }) => this.#probed(caches, [{ record, endMs }]),
      bug: (message) => this.evidence.problem(message),
    });
    const telling = setInterval(() => this.#probed(caches, []), JUDGE_PERIOD_MS);
    this.#ends.push(async () => clearInterval(telling));
    this.probe = new WindowProbe(larder, caches);
    return larder;
  }

  #probed(caches: RecordedCaches, calls: readonly ToldCall[]): void {
    this.evidence.add(PROBE, { kind: 'calls', calls, toldUntilMs: caches.recordedUntilMs }, false);
  }

  #startClients(): void {
    const originMs = monotonicMs();
    const common = { clientCount: CLIENTS, originMs, callers: CALLERS, pauseMs: PAUSE_MS, timeoutMs: TIMEOUT_MS };
    for (let index = 0; index < CLIENTS; index++) {
      const start = { client: clientName(index), index, endpoints: this.cluster.endpoints, ...common };
      const client = new ClientProcess(start, (message) => this.evidence.add(start.client, message));
      this.#clients.push(client);
      this.#ends.push(() => client.kill());
    }
  }
}

function clientName(index: number): string {
  return `client-${index + 1}`;
}
