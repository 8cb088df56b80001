import type { ServerName } from '../rivals/clients.js';
import { startLarderNode } from './larder-node.js';
import { startMemcached } from './memcached.js';
import { startRedis } from './redis.js';
import type { ServerProcess } from './server-process.js';

export interface StartOptions {
  readonly core: number | undefined;
  /** Flags for Node itself; only the Larder node heeds them. */
  readonly nodeFlags: readonly string[];
}

const STARTERS: Readonly<Record<ServerName, (options: StartOptions) => Promise<ServerProcess | undefined>>> = {
  'larder-node': startLarderNode,
  'redis-server': ({ core }) => startRedis(core),
  memcached: ({ core }) => startMemcached(core),
};

/** Starts the named servers; one that is not installed is named on stderr and left out. */
export async function startServers(
  names: Iterable<ServerName>,
  options: StartOptions,
): Promise<Map<ServerName, ServerProcess>> {
  const servers = new Map<ServerName, ServerProcess>();
  try {
    for (const name of names) {
      const server = await STARTERS[name](options);
      if (server === undefined) process.stderr.write(`${name} is not on the PATH: its clients are skipped\n`);
      else servers.set(name, server);
    }
  } catch (error) {
    await stopServers(servers);
    throw error;
  }
  return servers;
}

export async function stopServers(servers: ReadonlyMap<ServerName, ServerProcess>): Promise<void> {
  await Promise.all([...servers.values()].map((server) => server.stop()));
}
