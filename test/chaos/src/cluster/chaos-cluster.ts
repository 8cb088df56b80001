import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChaosNetwork } from '../network/chaos-network.js';
import { ChaosNode } from './chaos-node.js';

export interface ChaosClusterOptions {
  readonly network: ChaosNetwork;
  /** As the nodes reach it. */
  readonly databaseUrl: string;
  /** How many nodes found the cluster, and keep its view. */
  readonly voters: 1 | 3 | 5;
}

/** Real nodes, n1 to n3 at first, that have a database and three caches. */
export class ChaosCluster {
  readonly #nodes = new Map<string, ChaosNode>();
  readonly #folder = mkdtempSync(join(tmpdir(), 'larder-chaos-'));
  readonly #configPath = join(this.#folder, 'larder.yaml');

  /** Resolves when the founders serve. */
  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options);
    try {
      await cluster.#found();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(private readonly options: ChaosClusterOptions) {
    writeFileSync(this.#configPath, JSON.stringify(configuration(options.databaseUrl)));
  }

  /** Those that run, in the order of their ids. */
  get nodes(): readonly ChaosNode[] {
    return [...this.#nodes.values()].filter(({ isRunning }) => isRunning);
  }

  get endpoints(): readonly string[] {
    return this.nodes.map(({ address }) => address);
  }

  node(id: string): ChaosNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** Starts a node that joins, or one that has left and comes back. */
  async join(id: string): Promise<ChaosNode> {
    const node = this.#nodes.get(id) ?? (await this.#add(id, ['--join', this.endpoints.join(',')]));
    await node.start();
    return node;
  }

  /** Ends all nodes without asking them. */
  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #found(): Promise<void> {
    const { network, voters } = this.options;
    const ids = Array.from({ length: voters }, (_, index) => `n${index + 1}`);
    const places = await Promise.all(ids.map((id) => network.addNode(id)));
    const list = ids.map((id, index) => `${id}=${places[index]!.address}`).join(',');
    const nodes = await Promise.all(ids.map((id) => this.#add(id, ['--voters', list])));
    await Promise.all(nodes.map((node) => node.start()));
  }

  async #add(id: string, membership: readonly string[]): Promise<ChaosNode> {
    const { network } = this.options;
    const place = await network.addNode(id);
    const node = new ChaosNode({
      id,
      place,
      configPath: this.#configPath,
      dataFolder: join(this.#folder, id),
      membership: place.address === place.listen ? membership : [...membership, '--advertise', place.address],
      onSpawn: (pid) => network.nodeProcess(id, pid),
    });
    this.#nodes.set(id, node);
    return node;
  }
}

function configuration(databaseUrl: string): object {
  const table = (name: string) => ({ postgresTable: { table: name, key: 'key' } });
  return {
    database: { url: databaseUrl, poolSize: 5 },
    memory: '128MiB',
    drainTimeout: '30s',
    caches: {
      memory: {},
      through: { write: 'through', origin: table('through') },
      behind: { write: 'behind', origin: table('behind'), writeBehind: { maxDelay: '500ms' } },
    },
  };
}
