import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Exit, ServerProcess } from '@larder/test-kit';
import type { NodePlace } from '../network/chaos-network.js';

export interface ChaosNodeOptions {
  readonly id: string;
  readonly place: NodePlace;
  readonly configPath: string;
  /** Where a voter keeps what it has promised. */
  readonly dataFolder: string;
  /** Flags that say which cluster it belongs to. */
  readonly membership: readonly string[];
  readonly onSpawn: (pid: number) => void;
}

const MAIN = fileURLToPath(new URL('../../../../packages/node/dist/main.js', import.meta.url));
/** A node that hands over all that it holds may take its time. */
const STOP_TIMEOUT_MS = 60_000;

/** A real larder-node, to be killed, frozen and started again. */
export class ChaosNode {
  #server: ServerProcess | undefined;
  isFrozen = false;

  constructor(readonly options: ChaosNodeOptions) {
    mkdirSync(options.dataFolder, { recursive: true });
  }

  get id(): string {
    return this.options.id;
  }

  get address(): string {
    return this.options.place.address;
  }

  get isRunning(): boolean {
    return this.#server?.isRunning === true;
  }

  /** The latest lines of its output. */
  get log(): readonly string[] {
    return this.#server?.log ?? [];
  }

  /** Resolves when it says that it serves. After a kill, a stop or a crash it is a new process with an empty memory. */
  async start(): Promise<void> {
    const { id, place, configPath, dataFolder, membership, onSpawn } = this.options;
    const flags = ['--config', configPath, '--id', id, '--listen', place.listen, '--data', dataFolder, ...membership];
    const [command, ...args] = [...place.prefix, process.execPath, MAIN, ...flags] as [string, ...string[]];
    this.isFrozen = false;
    this.#server = await ServerProcess.start({
      name: `larder-node ${id}`,
      command,
      args,
      isReady: (line) => line.includes('"event":"ready"'),
      stopTimeoutMs: STOP_TIMEOUT_MS,
      onSpawn,
    });
  }

  /** kill -9. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#server?.kill('SIGKILL');
    await this.#server?.exited;
  }

  freeze(): void {
    this.isFrozen = true;
    this.#server?.kill('SIGSTOP');
  }

  thaw(): void {
    this.isFrozen = false;
    this.#server?.kill('SIGCONT');
  }

  /** SIGTERM: it hands over what it holds, writes what is pending, and ends. */
  async drain(): Promise<Exit> {
    if (this.#server === undefined) throw new Error(`node ${this.id} was never started`);
    return this.#server.stop();
  }

  /** As if its disk had been replaced. */
  wipe(): void {
    rmSync(this.options.dataFolder, { recursive: true, force: true });
    mkdirSync(this.options.dataFolder, { recursive: true });
  }
}
