import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { areFree, freePorts } from '../process/free-ports.js';
import { type NodeProcess, startNode } from './start-node.js';
import { untilSettled } from './until-settled.js';

export interface ClusterOptions {
  /** How many. Default: 3. */
  readonly nodes?: number | undefined;
  /** The path of a configuration file, or what is to stand in one. */
  readonly config: string | Readonly<Record<string, unknown>>;
  /** Added to the environment of every node. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Ports of 127.0.0.1 to take if nobody has them, as many as there are nodes. Otherwise, and by default: free ones. */
  readonly preferredPorts?: readonly number[] | undefined;
}

/** larder-node processes `n1`, `n2`, ... that form a cluster; the first of them, or the first three, keep its view. */
export interface Cluster {
  readonly nodes: readonly NodeProcess[];
  /** host:port of each node. */
  readonly endpoints: readonly string[];
  readonly configPath: string;
  /** Throws if there is none of that id. */
  node(id: string): NodeProcess;
  /** Stops all nodes, as an operator would, one after the other has been asked. */
  stop(): Promise<void>;
}

const PORT_ATTEMPTS_MAX = 5;

/** Resolves when all nodes serve, and every partition is where it is to be. If one cannot start, none is left and its last words are in the error. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'larder-cluster-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const configPath = configFile(options.config, folder);
    const nodes = await startOnFreePorts(options, configPath, folder);
    return new RunningCluster(nodes, configPath, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

class RunningCluster implements Cluster {
  constructor(
    readonly nodes: readonly NodeProcess[],
    readonly configPath: string,
    private readonly removeFolder: () => void,
  ) {}

  get endpoints(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  node(id: string): NodeProcess {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined)
      throw new Error(`no node is named ${id}; there are ${this.nodes.map((node) => node.id).join(', ')}`);
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    this.removeFolder();
  }
}

async function startOnFreePorts(options: ClusterOptions, configPath: string, folder: string): Promise<NodeProcess[]> {
  for (let attempt = 1; ; attempt++) {
    // Where some of them are taken the others would speak with the nodes of another cluster.
    const preferred = attempt === 1 ? (options.preferredPorts ?? []) : [];
    const isPreferred = preferred.length > 0 && (await areFree(preferred));
    const ports = isPreferred ? preferred : await freePorts(options.nodes ?? 3);
    const addresses = ports.map((port, index) => [`n${index + 1}`, `127.0.0.1:${port}`] as const);
    const voters = Object.fromEntries(addresses.slice(0, addresses.length < 3 ? 1 : 3));
    const pids: number[] = [];
    const starts = addresses.map(([id, address]) =>
      startNode({
        onSpawn: (pid) => pids.push(pid),
        id,
        address,
        ...(id in voters ? { voters, dataPath: join(folder, `${id}-${attempt}`) } : { join: Object.values(voters) }),
        configPath,
        env: options.env,
      }),
    );
    // Founders wait for each other: one that cannot start leaves the others waiting for nothing.
    const giveUp = (): void => pids.forEach(kill);
    for (const start of starts) start.catch(giveUp);
    const settled = await Promise.allSettled(starts);
    const started = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const failure = settled.find((start) => start.status === 'rejected');
    if (failure === undefined) {
      await untilSettled(started.map(({ address }) => address));
      return started;
    }
    await Promise.all(started.map((node) => node.stop()));
    const reasons = settled.flatMap((start) => (start.status === 'rejected' ? [start.reason] : []));
    const own = reasons.find((reason) => !/SIGKILL/.test(String(reason))) ?? failure.reason;
    const taken = reasons.some((reason) => /EADDRINUSE|in use|exit code 76/.test(String(reason)));
    if (!taken || attempt === PORT_ATTEMPTS_MAX) throw own;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** JSON is YAML. */
function configFile(config: ClusterOptions['config'], folder: string): string {
  if (typeof config === 'string') return config;
  const path = join(folder, 'larder.yaml');
  writeFileSync(path, JSON.stringify(config, undefined, 2));
  return path;
}
