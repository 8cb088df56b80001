import { fileURLToPath } from 'node:url';
import { type Exit, ServerProcess } from '../process/server-process.js';

export interface NodeOptions {
  readonly id: string;
  /** host:port that it listens on and is reached by. */
  readonly address: string;
  /** The voters of the cluster by id, 1, 3 or 5. Default: this one alone, unless `join` is given. */
  readonly voters?: Readonly<Record<string, string>> | undefined;
  /** host:port of nodes of the cluster that it joins. */
  readonly join?: readonly string[] | undefined;
  /** Where it keeps its file, if it is a voter. */
  readonly dataPath?: string | undefined;
  readonly configPath: string;
  /** Told of the process as soon as there is one. */
  readonly onSpawn?: ((pid: number) => void) | undefined;
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Options of Node itself, for example `--max-old-space-size=512`. */
  readonly execArgv?: readonly string[] | undefined;
}

const MAIN = fileURLToPath(new URL('../../../../packages/node/dist/main.js', import.meta.url));

/** A larder-node in a process of its own, as an operator starts it. */
export class NodeProcess {
  static async start(options: NodeOptions): Promise<NodeProcess> {
    return new NodeProcess(options, await startServer(options));
  }

  private constructor(
    readonly options: NodeOptions,
    private server: ServerProcess,
  ) {}

  get id(): string {
    return this.options.id;
  }

  get address(): string {
    return this.options.address;
  }

  get pid(): number {
    return this.server.pid;
  }

  get isRunning(): boolean {
    return this.server.isRunning;
  }

  /** The latest lines of its output, one JSON object a line. */
  get log(): readonly string[] {
    return this.server.log;
  }

  get exited(): Promise<Exit> {
    return this.server.exited;
  }

  /** SIGTERM, then its end. Exit code 0 means that everything in flight was finished and no write was left behind. */
  stop(): Promise<Exit> {
    return this.server.stop();
  }

  /** SIGKILL is a crash, SIGSTOP and SIGCONT a hang. Waits for nothing. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.server.kill(signal);
  }

  /** The same node again, on the same address, after it was stopped or killed. */
  async restart(): Promise<void> {
    await this.server.stop();
    this.server = await startServer(this.options);
  }
}

export function startNode(options: NodeOptions): Promise<NodeProcess> {
  return NodeProcess.start(options);
}

function startServer(options: NodeOptions): Promise<ServerProcess> {
  const { id, address, voters = {}, join = [], dataPath, configPath, env, execArgv = [], onSpawn } = options;
  const list = Object.entries(voters).map(([name, at]) => `${name}=${at}`);
  const flags = ['--config', configPath, '--id', id, '--listen', address];
  if (list.length > 0) flags.push('--voters', list.join(','));
  if (join.length > 0) flags.push('--join', join.join(','));
  if (dataPath !== undefined) flags.push('--data', dataPath);
  return ServerProcess.start({
    name: `larder-node ${id}`,
    command: process.execPath,
    args: [...execArgv, MAIN, ...flags],
    env: { ...process.env, ...env },
    onSpawn,
    isReady: (line) => line.includes('"event":"ready"'),
  });
}
