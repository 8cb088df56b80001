import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../process/free-ports.js';
import { ServerProcess } from '../process/server-process.js';
import { type DataDirectory, dataDirectory, SUPERUSER } from './data-directory.js';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.js';
import { type User, unprivilegedUser } from './unprivileged-user.js';

export interface PostgresOptions {
  /** Kept and used again by the next start. Default: a temporary folder, removed by `stop`. */
  readonly dataDirectory?: string | undefined;
  /** On 127.0.0.1. Default: a free one. */
  readonly port?: number | undefined;
  /** False loses the latest commits should the machine crash, and is several times faster. Default: false. */
  readonly durable?: boolean | undefined;
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
}

/** A PostgreSQL server of our own, with the rights of its superuser. */
export interface Postgres {
  /** Of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The latest lines of the server's log. */
  readonly log: readonly string[];
  /**
   * Sends a signal to the server at once: SIGKILL is a crash, SIGSTOP and SIGCONT a hang. After SIGKILL resolves when the
   * last of its processes has ended: those that serve connections outlive the server by a moment, and answer.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts the server again on the same port and data, whether it runs, was stopped or was killed. */
  restart(): Promise<void>;
  /** Ends connections and server, and removes the data if it is temporary. */
  stop(): Promise<void>;
}

const BIND_ATTEMPTS_MAX = 5;
/** A server on the same data may still be on its way out. */
const OCCUPIED_ATTEMPTS_MAX = 15;
const OCCUPIED_PAUSE_MS = 200;

/** Starts a real PostgreSQL from the binaries that come with npm. Rejects with the server's last words if it cannot. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const user = unprivilegedUser();
  const binaries = postgresBinaries(user);
  const temporary = options.dataDirectory === undefined ? temporaryFolder() : undefined;
  try {
    const data = dataDirectory(options.dataDirectory ?? (temporary as string), binaries, user);
    const launch = { binaries, data, user, options, temporary };
    return new RunningPostgres(launch, ...(await startOnFreePort(launch)));
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

interface Launch {
  readonly binaries: PostgresBinaries;
  readonly data: DataDirectory;
  readonly user: User | undefined;
  readonly options: PostgresOptions;
  readonly temporary: string | undefined;
}

class RunningPostgres implements Postgres {
  constructor(
    readonly launch: Launch,
    private server: ServerProcess,
    readonly port: number,
  ) {}

  get url(): string {
    return `postgres://${SUPERUSER}:${this.launch.data.password}@127.0.0.1:${this.port}/postgres`;
  }

  get pid(): number {
    return this.server.pid;
  }

  get log(): readonly string[] {
    return this.server.log;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.server.kill(signal);
    // They have its output open, so it is closed when they are gone.
    if (signal === 'SIGKILL') await this.server.exited;
  }

  async restart(): Promise<void> {
    await this.server.stop();
    this.server = await startServer(this.launch, this.port);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    const { temporary } = this.launch;
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  }
}

async function startOnFreePort(launch: Launch): Promise<[server: ServerProcess, port: number]> {
  for (let attempt = 1; ; attempt++) {
    const port = launch.options.port ?? ((await freePorts(1))[0] as number);
    try {
      return [await startServer(launch, port), port];
    } catch (error) {
      const taken = /could not bind|could not create any TCP/.test(String(error));
      if (!taken || launch.options.port !== undefined || attempt === BIND_ATTEMPTS_MAX) throw error;
    }
  }
}

async function startServer(launch: Launch, port: number): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ServerProcess.start(processOptions(launch, port));
    } catch (error) {
      const occupied = /lock file "postmaster.pid" already exists|pre-existing shared memory/.test(String(error));
      if (!occupied) throw error;
      if (attempt === OCCUPIED_ATTEMPTS_MAX)
        throw new Error(`another PostgreSQL already runs on the data in ${launch.data.path}`, { cause: error });
      await sleep(OCCUPIED_PAUSE_MS);
    }
  }
}

function processOptions({ binaries, data, user, options, temporary }: Launch, port: number) {
  const settings = { ...baseSettings(port), ...(options.durable ? {} : FRAGILE), ...options.settings };
  return {
    name: 'PostgreSQL',
    command: binaries.postgres,
    args: ['-D', data.path, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    isReady: (line: string) => line.includes('database system is ready to accept connections'),
    // "Fast shutdown": ends the connections and does not wait for them.
    stopSignal: 'SIGINT' as const,
    user,
    folder: temporary,
  };
}

function baseSettings(port: number) {
  return {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    timezone: 'UTC',
  };
}

/** A commit still reaches the operating system, so that the server may be killed without losing any. */
const FRAGILE = { fsync: 'off', full_page_writes: 'off' };

/** The server's user must be able to enter it, and that may not be us. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'larder-postgres-'));
  chmodSync(folder, 0o711);
  return folder;
}
